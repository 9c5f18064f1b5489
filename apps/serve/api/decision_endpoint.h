// Answers as probabilities: one reading of the input, no writing.
#pragma once

#include <memory>

#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// POST /v1/decisions {input, questions}: {answers}
void decisions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

}  // namespace nolens::serve
