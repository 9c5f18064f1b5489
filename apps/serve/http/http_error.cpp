#include "serve/http/http_error.h"

#include <nlohmann/json.hpp>

#include "nolens/error.h"

namespace nolens::serve {
namespace {

nlohmann::ordered_json text_or_null(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

std::string error_body(std::string_view message, std::string_view type, std::string_view param,
                       std::string_view code) {
  nlohmann::ordered_json error;
  error["message"] = message;
  error["type"] = type;
  error["param"] = text_or_null(param);
  error["code"] = text_or_null(code);
  nlohmann::ordered_json body;
  body["error"] = std::move(error);
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

HttpError bad_request(int status, std::string message, std::string code, Headers headers) {
  return {status, std::move(message), "invalid_request_error",
          "",     std::move(code),    std::move(headers)};
}

HttpError internal_error(std::string_view request_id) {
  return {500,
          "the server failed on this request; its log has more under " + std::string(request_id),
          "server_error", "", "internal_error"};
}

HttpError answer_for(const std::exception_ptr& error, std::string_view request_id) {
  try {
    std::rethrow_exception(error);
  } catch (const HttpError& known) {
    return known;
  } catch (const Error& known) {
    switch (known.code()) {
      case ErrorCode::kInput:
      case ErrorCode::kUsage: return bad_request(400, known.what(), "invalid_request");
      case ErrorCode::kResource:
        return {503,
                known.what(),
                "server_error",
                "",
                "insufficient_resources",
                {{"retry-after", "1"}}};
      default: return internal_error(request_id);
    }
  } catch (...) {
    return internal_error(request_id);
  }
}

}  // namespace nolens::serve
