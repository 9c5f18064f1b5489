// POST /v1/completions: a text goes on.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/event_stream.h"
#include "serve/api/response_json.h"
#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// Handler of the endpoint. No chat template; the tokenizer's first token is put before the text.
void completions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

/// One request for a text to go on, between the engine and the client.
class CompletionTask final : public std::enable_shared_from_this<CompletionTask> {
 public:
  struct Form {
    bool echo = false;           ///< the prompt is part of the text
    bool stream = false;
    bool include_usage = false;
    std::string prompt;
    std::int64_t answers = 1;
    std::vector<std::string> ignored;
  };
  CompletionTask(Service& service, std::shared_ptr<Exchange> exchange, Form form, const std::string& id);

  /// \throws HttpError if the engine does not take it
  void begin(EngineRequest request);

 private:
  bool take(std::int64_t answer, const TokenEvent& event);
  void finish(const EngineResult& result);
  void fail(const Error& error);
  [[nodiscard]] OutputJson head() const;
  [[nodiscard]] OutputJson choice(std::size_t answer, std::string text, const char* finish_reason) const;

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  Form form_;
  std::string id_;
  std::int64_t created_;
  std::shared_ptr<EventStream> stream_;  ///< null: one response
  std::vector<std::string> texts_;
  std::vector<OutputJson> logprobs_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace nolens::serve
