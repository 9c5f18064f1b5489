// Small questions about header texts, the same in every locale.
#pragma once

#include <string>
#include <string_view>

namespace nolens::serve {

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}
/// What methods and field names are made of (RFC 9110, "tchar").
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  return is_alphanumeric(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
[[nodiscard]] constexpr bool is_visible(char c) noexcept {
  return c > 0x20 && c < 0x7F;
}

/// \return the value of a hexadecimal digit, -1 if it is none
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) {
    return c - '0';
  }
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
/// Printable ASCII stays, every other byte becomes \xNN; longer than `max_bytes` is cut with "...".
[[nodiscard]] std::string escaped(std::string_view text, std::size_t max_bytes = 256);

}  // namespace nolens::serve
