// POST /v1/responses: one request between the engine and the client.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/answer_channels.h"
#include "serve/api/event_stream.h"
#include "serve/api/response_json.h"
#include "serve/api/responses_request.h"
#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// Handler of the endpoint.
void responses(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

/// Output is a list of items: thoughts, a message, calls. In a stream each has events for its beginning, its
/// pieces and its end.
class ResponsesTask final : public std::enable_shared_from_this<ResponsesTask> {
 public:
  ResponsesTask(Service& service, std::shared_ptr<Exchange> exchange, ResponsesCall& call, const std::string& id);

  /// \throws HttpError if the engine does not take it
  void begin(EngineRequest request);

 private:
  enum class Item { kNone, kReasoning, kMessage };

  bool take(const TokenEvent& event);
  void take_delta(const OutputParser::Delta& delta, const Json& logprobs);
  void finish(const EngineResult& result);
  void fail(const Error& error);

  void open(Item item);
  void close();
  void add_text(Item item, const std::string& text, const Json& logprobs);
  void add_call(const ToolCall& call);
  [[nodiscard]] OutputJson part() const;
  [[nodiscard]] OutputJson item(const char* status) const;
  [[nodiscard]] OutputJson response(const char* status) const;
  void send(const std::string& type, OutputJson fields);

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::string id_;
  std::int64_t created_;
  OutputJson echo_;
  std::vector<std::string> ignored_;
  std::optional<ImageBudget> image_budget_;
  std::shared_ptr<EventStream> stream_;  ///< null: one response
  AnswerChannels channels_;
  OutputJson output_ = OutputJson::array();  ///< items that are complete
  Item open_ = Item::kNone;
  std::string text_;                         ///< of the open item
  OutputJson logprobs_ = OutputJson::array();
  std::int64_t sequence_ = 0;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  bool has_token_ = false;
};

}  // namespace nolens::serve
