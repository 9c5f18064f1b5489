// Endpoints that take messages.
#pragma once

#include <memory>

#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// POST /v1/chat/completions
void chat_completions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// POST /v1/chat/completions/input_tokens: {input_tokens, images, …} of the same body, without an answer
void chat_input_tokens(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// POST /apply-template {messages}: {prompt}
void apply_template(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

}  // namespace nolens::serve
