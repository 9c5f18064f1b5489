// Makes bytes from a file safe to print in a message.
#pragma once

#include <string>
#include <string_view>

namespace nolens {

/// Printable ASCII stays; every other byte becomes \xNN; longer than `max_bytes` is cut with "…".
[[nodiscard]] inline std::string escape_for_message(std::string_view text,
                                                    std::size_t max_bytes = 120) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == max_bytes) {
      return result + "…";
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7F) {
      result += text[i];
    } else {
      result += "\\x";
      result += kHex[byte >> 4];
      result += kHex[byte & 15];
    }
  }
  return result;
}

}  // namespace nolens
