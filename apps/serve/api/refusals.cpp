#include "serve/api/refusals.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace nolens::serve {
namespace {

constexpr const char* kInvalid = "invalid_request_error";

/// The field that the first word of a message names.
std::string named_field(std::string_view message) {
  if (!message.starts_with("messages[") && !message.starts_with("input[")) {
    return "";
  }
  const std::size_t end = std::min(message.find_first_of(" :"), message.size());
  return std::string(message.substr(0, end));
}

}  // namespace

HttpError invalid_field(std::string message, std::string param, std::string code) {
  return {400, std::move(message), kInvalid, std::move(param), std::move(code)};
}

HttpError unsupported(std::string message, std::string param) {
  return invalid_field(std::move(message), std::move(param), "unsupported_parameter");
}

HttpError refusal(const Error& error) {
  const std::string message = error.what();
  switch (error.code()) {
    case ErrorCode::kInput:
    case ErrorCode::kUsage: return invalid_field(message, named_field(message), "invalid_value");
    case ErrorCode::kResource: {
      const std::string param = named_field(message);
      return param.empty() ? HttpError{503, message, "server_error", "", "out_of_resources"}
                           : invalid_field(message, param, "limit_exceeded");
    }
    case ErrorCode::kInterrupted: return {503, message, "server_error", "", "interrupted"};
    case ErrorCode::kModel: return {500, message, "server_error", "", "numerical_error"};
    case ErrorCode::kInternal: break;
  }
  return {500, "the server made a mistake; its log has the details under this request's id", "server_error",
          "", "internal_error"};
}

HttpError empty_answer() {
  return {500, "the model ended its answer before the first word; ask differently, or raise the temperature",
          "server_error", "", "empty_answer"};
}

void respond(Exchange& exchange, const HttpError& error) {
  exchange.respond(error.status, "application/json", error.body(), error.headers);
}

}  // namespace nolens::serve
