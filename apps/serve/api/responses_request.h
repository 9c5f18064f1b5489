// The body of POST /v1/responses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serve/api/image_latency.h"
#include "serve/api/response_json.h"
#include "serve/api/service.h"

#include "formats/json.h"

namespace nolens::serve {

struct ResponsesCall {
  EngineRequest request;
  std::optional<ImageBudget> image_budget;
  bool open_thought = false;         ///< the prompt ends inside the channel of thoughts
  bool stream = false;
  OutputJson echo;                   ///< fields of the request that the response repeats
  std::vector<std::string> ignored;  ///< parameters nobody knows
};

/// Nothing is stored: a conversation is in the request as a whole.
/// \throws HttpError 400 naming the field, Error{kInput, kResource} for the input and its media.
ResponsesCall read_responses_request(const Json& body, Service& service);

}  // namespace nolens::serve
