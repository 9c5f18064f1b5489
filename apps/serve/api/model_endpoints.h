// What is served, and how it is.
#pragma once

#include <memory>
#include <string>

#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// GET /v1/models, GET /v1/models/{id}
void list_models(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
void describe_model(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// GET /props: modalities, budgets, limits
void props(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// GET /metrics, for Prometheus
void metrics(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
/// GET /health
void health(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

/// \throws HttpError 404 unless `name` is the model served or empty.
void require_model(const std::string& name, const Service& service);

}  // namespace nolens::serve
