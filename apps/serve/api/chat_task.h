// One chat request between the engine and the client.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/answer_channels.h"
#include "serve/api/chat_request.h"
#include "serve/api/event_stream.h"
#include "serve/api/response_json.h"
#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// Hands tokens on as they come, or collects them for one response. The engine's callbacks hold it, on whose
/// thread it is used once it has begun.
class ChatTask final : public std::enable_shared_from_this<ChatTask> {
 public:
  ChatTask(Service& service, std::shared_ptr<Exchange> exchange, const ChatCall& call, std::string id);

  /// Gives the request to the engine and begins the stream if one is wanted. A client that goes away
  /// cancels it. \throws HttpError if the engine does not take it; nothing was
  /// answered then.
  void begin(EngineRequest request);

 private:
  EngineCallbacks callbacks();
  bool take(std::int64_t answer, const TokenEvent& event);
  void finish(const EngineResult& result);
  void fail(const Error& error);
  void report_progress(std::int64_t done, std::int64_t total);

  [[nodiscard]] OutputJson head(const char* object) const;
  [[nodiscard]] OutputJson piece(std::int64_t answer, OutputJson delta, const char* finish_reason) const;
  void send_delta(std::int64_t answer, const OutputParser::Delta& delta, const Json& logprobs);
  void finish_stream(const EngineResult& result);
  void respond(const EngineResult& result);
  [[nodiscard]] std::int64_t reasoning_tokens() const;

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::string id_;
  std::int64_t created_;
  std::uint64_t seed_;
  std::shared_ptr<EventStream> stream_;  ///< null: one response
  bool include_usage_;
  bool progress_;
  std::vector<std::string> ignored_;
  std::optional<ImageBudget> image_budget_;
  std::vector<AnswerChannels> answers_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  bool has_token_ = false;
};

}  // namespace nolens::serve
