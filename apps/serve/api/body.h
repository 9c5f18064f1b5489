// JSON bodies.
#pragma once

#include "formats/json.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// The JSON object of a request's body. \throws HttpError 400 or 415
Json read_body(const HttpRequest& request);

}  // namespace nolens::serve
