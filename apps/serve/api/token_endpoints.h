// Text to tokens and back.
#pragma once

#include <memory>

#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// POST /tokenize {content, add_special, parse_special, with_pieces}: {tokens}
void tokenize(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// POST /detokenize {tokens}: {content}
void detokenize(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

}  // namespace nolens::serve
