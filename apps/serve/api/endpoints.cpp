#include "serve/api/endpoints.h"

#include "serve/api/chat_endpoints.h"
#include "serve/api/completion_task.h"
#include "serve/api/decision_endpoint.h"
#include "serve/api/embedding_endpoint.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/responses_task.h"
#include "serve/api/token_endpoints.h"
#include "serve/api/transcription.h"

namespace nolens::serve {

std::vector<Route> api_routes(const ServiceSlot& slot) {
  const auto bind = [&slot](void (*handler)(Service&, const HttpRequest&, const std::shared_ptr<Exchange>&)) {
    return [&slot, handler](const HttpRequest& request, std::shared_ptr<Exchange> exchange) {
      const std::shared_ptr<Service> service = slot.get();
      if (service == nullptr) {
        throw HttpError(503, "the model is being loaded; try again in a moment", "server_error", "",
                        "model_loading", {{"retry-after", "1"}});
      }
      handler(*service, request, exchange);
    };
  };
  return {
      {"POST", "/v1/chat/completions", Access::kKey, bind(chat_completions)},
      {"POST", "/v1/chat/completions/input_tokens", Access::kKey, bind(chat_input_tokens)},
      {"POST", "/v1/completions", Access::kKey, bind(completions)},
      {"POST", "/v1/responses", Access::kKey, bind(responses)},
      {"POST", "/v1/audio/transcriptions", Access::kKey, bind(transcriptions)},
      {"POST", "/v1/embeddings", Access::kKey, bind(embeddings)},
      {"POST", "/v1/decisions", Access::kKey, bind(decisions)},
      {"POST", "/apply-template", Access::kKey, bind(apply_template)},
      {"POST", "/tokenize", Access::kKey, bind(tokenize)},
      {"POST", "/detokenize", Access::kKey, bind(detokenize)},
      {"GET", "/v1/models", Access::kKey, bind(list_models)},
      {"GET", "/v1/models/{id}", Access::kKey, bind(describe_model)},
      {"GET", "/props", Access::kKey, bind(props)},
      {"GET", "/metrics", Access::kKey, bind(metrics)},
      {"GET", "/health", Access::kPublic, bind(health)},
      {"GET", "/v1/health", Access::kPublic, bind(health)},
  };
}

}  // namespace nolens::serve
