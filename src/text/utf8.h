// UTF-8 as defined by Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above
// U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nolens {

/// One step through a text that may be broken.
struct DecodedChar {
  char32_t code_point = 0;   ///< kInvalidByte where the bytes are no UTF-8
  std::uint32_t length = 0;  ///< bytes consumed, 1 to 4; 1 for an invalid byte
};

/// No code point: marks a byte that is not part of a valid character.
constexpr char32_t kInvalidByte = 0xFFFFFFFF;

/// U+FFFD REPLACEMENT CHARACTER.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

namespace internal {
DecodedChar decode_multibyte(std::string_view text, std::size_t offset) noexcept;
}  // namespace internal

/// Decodes the character that starts at `offset`, which must be less than text.size().
[[nodiscard]] inline DecodedChar decode_char(std::string_view text, std::size_t offset) noexcept {
  const auto first = static_cast<unsigned char>(text[offset]);
  if (first < 0x80) {
    return {first, 1};
  }
  return internal::decode_multibyte(text, offset);
}

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// Whether the character is white space for Unicode (property White_Space).
[[nodiscard]] bool is_white_space(char32_t code_point) noexcept;

/// Appends a run of byte tokens as Hugging Face's ByteFallback decoder does: the bytes themselves
/// if together they are valid UTF-8, otherwise one U+FFFD for every byte of the run.
void append_byte_run(std::string_view bytes, std::string& text);

}  // namespace nolens
