// The body of POST /v1/chat/completions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serve/api/image_latency.h"
#include "serve/api/request_fields.h"
#include "serve/api/service.h"
#include "formats/json.h"

namespace nolens::serve {

/// A chat request as the engine takes it, and how the answer is wanted.
struct ChatCall {
  EngineRequest request;
  std::optional<ImageBudget> image_budget;
  bool open_thought = false;   ///< the prompt ends inside the channel of thoughts
  bool stream = false;
  bool include_usage = false;  ///< stream: a last piece with usage
  bool progress = false;       ///< stream: pieces that say how much of the prompt was read
  std::vector<std::string> ignored;  ///< parameters nobody knows
};

/// \throws HttpError 400 naming the field, Error{kInput, kResource} for messages and their media.
ChatCall read_chat_request(const Json& body, Service& service);

/// The prompt of a request without its parameters.
struct ChatPrompt {
  Prompt prompt;
  std::optional<ImageBudget> image_budget;  ///< if `image_latency` chose one
};
ChatPrompt read_chat_prompt(RequestFields& fields, Service& service);

}  // namespace nolens::serve
