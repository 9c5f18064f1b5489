// The way of a request into the engine.
#pragma once

#include <string>
#include <vector>

#include "nolens/engine.h"

#include "serve/api/service.h"
#include "serve/http/http_error.h"

namespace nolens::serve {

/// Engine::submit(), with refusals that clients know: 429 where the queue is full, a code of its own where
/// the prompt is too long. `param` names the field that the prompt came from. \throws HttpError
RequestId submit(Service& service, EngineRequest request, EngineCallbacks callbacks, const std::string& param);

/// Parameters that nobody knows, as a header that names them.
Headers warnings(const std::vector<std::string>& ignored);

}  // namespace nolens::serve
