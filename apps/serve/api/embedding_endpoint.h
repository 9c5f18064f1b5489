// Texts and pictures as vectors.
#pragma once

#include <memory>

#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// POST /v1/embeddings {input | messages, dimensions, encoding_format}: the mean of the last layer's hidden states,
/// of length 1
void embeddings(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

}  // namespace nolens::serve
