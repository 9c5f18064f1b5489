// The routes of the API.
#pragma once

#include <vector>

#include "serve/api/service.h"
#include "serve/http/http_server.h"

namespace nolens::serve {

/// Every endpoint answers 503 while `slot`, which outlives the server, is empty.
std::vector<Route> api_routes(const ServiceSlot& slot);

}  // namespace nolens::serve
