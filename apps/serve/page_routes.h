// The web page at "/" and the description of the API at "/openapi.json".
#pragma once

#include <vector>

#include "serve/http/router.h"

namespace nolens::serve {

/// A public route for each file. Scripts and styles come from this server only, nothing can put
/// the page into a frame, and a browser asks again before it shows an old file.
std::vector<Route> page_routes();

}  // namespace nolens::serve
