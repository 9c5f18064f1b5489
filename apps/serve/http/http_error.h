// Errors as clients see them: the shape of the OpenAI API.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nolens::serve {

/// Fields of an answer, in order. Names are sent as given; a value's control characters escaped.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// {"error":{"message","type","param","code"}}; an empty `param` or `code` becomes null. Bytes that
/// are no UTF-8 are replaced.
[[nodiscard]] std::string error_body(std::string_view message, std::string_view type,
                                     std::string_view param, std::string_view code);

/// Thrown by a handler, becomes that answer.
struct HttpError : std::exception {
  HttpError(int status_, std::string message_, std::string type_, std::string param_,
            std::string code_, Headers headers_ = {})
      : status(status_),
        message(std::move(message_)),
        type(std::move(type_)),
        param(std::move(param_)),
        code(std::move(code_)),
        headers(std::move(headers_)) {}
  [[nodiscard]] const char* what() const noexcept override { return message.c_str(); }
  [[nodiscard]] std::string body() const { return error_body(message, type, param, code); }

  int status;
  std::string message;
  std::string type;
  std::string param;
  std::string code;
  Headers headers;
};

/// A request that cannot be served as it is; type "invalid_request_error".
[[nodiscard]] HttpError bad_request(int status, std::string message, std::string code,
                                    Headers headers = {});

/// A bug of ours: the client learns the request's id, under which the log has more.
[[nodiscard]] HttpError internal_error(std::string_view request_id);

/// What a client hears of an exception of a handler: HttpError as it is; Error of kInput or kUsage
/// 400 and of kResource 503, with their sentence; everything else 500 with the request's id alone.
[[nodiscard]] HttpError answer_for(const std::exception_ptr& error, std::string_view request_id);

}  // namespace nolens::serve
