// The head of an answer as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http_error.h"

namespace nolens::serve {

struct AnswerHead {
  int status = 200;
  std::string_view content_type;  ///< "" = none
  std::string_view request_id;
  std::optional<std::uint64_t> content_length;  ///< nothing: chunked, unless the status has no body
  bool keep_alive = true;
  const Headers* fields = nullptr;  ///< of the HTTP layer; may be null
  const Headers* extra = nullptr;   ///< of the handler; may be null
};

/// Values cannot break out of their line. Fields of `extra` that frame the message are left out.
[[nodiscard]] std::string render(const AnswerHead& head);

/// Whether answers of this status have no body at all: 204 and 304.
[[nodiscard]] bool is_bodiless(int status);

/// One piece of a chunked body; `data` is not empty.
[[nodiscard]] std::string chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace nolens::serve
