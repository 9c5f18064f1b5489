// Table 3-7 of the Unicode standard, and what is derived from it.
#include "text/utf8.h"

namespace nolens {
namespace {

unsigned char byte_at(std::string_view text, std::size_t offset) noexcept {
  return static_cast<unsigned char>(text[offset]);
}

bool is_continuation(unsigned char byte) noexcept {
  return (byte & 0xC0U) == 0x80U;
}

}  // namespace

namespace internal {

DecodedChar decode_multibyte(std::string_view text, std::size_t offset) noexcept {
  constexpr DecodedChar kInvalid{kInvalidByte, 1};
  const unsigned char first = byte_at(text, offset);
  const std::size_t left = text.size() - offset;
  if (first < 0xC2 || first > 0xF4) {
    return kInvalid;
  }
  if (left < 2 || !is_continuation(byte_at(text, offset + 1))) {
    return kInvalid;
  }
  const unsigned char second = byte_at(text, offset + 1);
  if (first < 0xE0) {
    return {(first & 0x1FU) << 6U | (second & 0x3FU), 2};
  }
  if (left < 3 || !is_continuation(byte_at(text, offset + 2))) {
    return kInvalid;
  }
  const unsigned char third = byte_at(text, offset + 2);
  if (first < 0xF0) {
    const char32_t code_point = (first & 0x0FU) << 12U | (second & 0x3FU) << 6U | (third & 0x3FU);
    const bool overlong = code_point < 0x800;
    const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
    return overlong || surrogate ? kInvalid : DecodedChar{code_point, 3};
  }
  if (left < 4 || !is_continuation(byte_at(text, offset + 3))) {
    return kInvalid;
  }
  const unsigned char fourth = byte_at(text, offset + 3);
  const char32_t code_point =
      (first & 0x07U) << 18U | (second & 0x3FU) << 12U | (third & 0x3FU) << 6U | (fourth & 0x3FU);
  return code_point < 0x10000 || code_point > 0x10FFFF ? kInvalid : DecodedChar{code_point, 4};
}

}  // namespace internal

bool is_valid_utf8(std::string_view text) noexcept {
  for (std::size_t offset = 0; offset < text.size();) {
    const DecodedChar decoded = decode_char(text, offset);
    if (decoded.code_point == kInvalidByte) {
      return false;
    }
    offset += decoded.length;
  }
  return true;
}

bool is_white_space(char32_t code_point) noexcept {
  switch (code_point) {
    case 0x20:
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000: return true;
    default: break;
  }
  return (code_point >= 0x09 && code_point <= 0x0D) ||
         (code_point >= 0x2000 && code_point <= 0x200A);
}

void append_byte_run(std::string_view bytes, std::string& text) {
  if (is_valid_utf8(bytes)) {
    text += bytes;
    return;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += kReplacement;
  }
}

}  // namespace nolens
