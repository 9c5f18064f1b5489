// Answers that say no, in OpenAI's shape.
#pragma once

#include <string>

#include "nolens/error.h"

#include "serve/http/exchange.h"
#include "serve/http/http_error.h"

namespace nolens::serve {

/// 400: `param` names the field, "" = the request as a whole.
HttpError invalid_field(std::string message, std::string param, std::string code = "invalid_value");
/// 400: a field that is understood, but asks for what is not offered.
HttpError unsupported(std::string message, std::string param);
/// What a failure of the engine is for a client: 400 for bad input, 429 for a full queue or missing memory,
/// 500 for the rest. If the message begins with a field, such as "messages[1].content[0]", `param` names it.
HttpError refusal(const Error& error);

/// 500 for an answer with nothing in it, which is never passed off as one.
HttpError empty_answer();
/// Ends an exchange with a refusal.
void respond(Exchange& exchange, const HttpError& error);

}  // namespace nolens::serve
