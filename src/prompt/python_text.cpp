#include "prompt/python_text.h"

#include <cstddef>
#include <cstdint>

namespace nolens {
namespace {

/// One character of UTF-8 text. A byte that begins no valid sequence is a character of its own.
struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

constexpr char32_t kNotUnicode = 0xFFFFFFFF;

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

Character first_character(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes > text.size()) {
    return {kNotUnicode, 1};
  }
  char32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[i])) {
      return {kNotUnicode, 1};
    }
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return {code, bytes};
}

Character last_character(std::string_view text) noexcept {
  for (std::size_t bytes = 1; bytes <= 4 && bytes <= text.size(); ++bytes) {
    const std::string_view tail = text.substr(text.size() - bytes);
    if (is_continuation(tail.front())) {
      continue;
    }
    const Character character = first_character(tail);
    return character.bytes == bytes ? character : Character{kNotUnicode, 1};
  }
  return {kNotUnicode, 1};
}

bool is_space(char32_t code) noexcept {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/// Capitals first, first + step … last; a capital plus `delta` is its small letter.
struct CaseRange {
  std::uint16_t first;
  std::uint16_t last;
  std::uint8_t step;
  std::int16_t delta;
};

// Unicode 14, UnicodeData.txt, simple lower-case mappings of the scripts named in the header.
constexpr CaseRange kCaseRanges[] = {
    {0x00C0, 0x00D6, 1, 32},   {0x00D8, 0x00DE, 1, 32}, {0x0100, 0x012E, 2, 1},
    {0x0132, 0x0136, 2, 1},    {0x0139, 0x0147, 2, 1},  {0x014A, 0x0176, 2, 1},
    {0x0178, 0x0178, 1, -121}, {0x0179, 0x017D, 2, 1},  {0x01CD, 0x01DB, 2, 1},
    {0x01DE, 0x01EE, 2, 1},    {0x01F8, 0x021E, 2, 1},  {0x0222, 0x0232, 2, 1},
    {0x0386, 0x0386, 1, 38},   {0x0388, 0x038A, 1, 37}, {0x038C, 0x038C, 1, 64},
    {0x038E, 0x038F, 1, 63},   {0x0391, 0x03A1, 1, 32}, {0x03A3, 0x03AB, 1, 32},
    {0x0400, 0x040F, 1, 80},   {0x0410, 0x042F, 1, 32}, {0x0460, 0x0480, 2, 1},
    {0x048A, 0x04BE, 2, 1},    {0x04C1, 0x04CD, 2, 1},  {0x04D0, 0x052E, 2, 1},
    {0x0531, 0x0556, 1, 48},   {0x1E00, 0x1E94, 2, 1},  {0x1EA0, 0x1EFE, 2, 1},
};

char32_t lower(char32_t code) noexcept {
  if (code < 0x80) {
    return code >= 'A' && code <= 'Z' ? code + 32 : code;
  }
  for (const CaseRange& range : kCaseRanges) {
    if (code >= range.first && code <= range.last && (code - range.first) % range.step == 0) {
      return static_cast<char32_t>(static_cast<std::int32_t>(code) + range.delta);
    }
  }
  return code;
}

void append_utf8(char32_t code, std::string& out) {
  const auto byte = [&out](char32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0U | (code >> 6U));
    byte(0x80U | (code & 0x3FU));
  } else {
    byte(0xE0U | (code >> 12U));
    byte(0x80U | ((code >> 6U) & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  }
}

}  // namespace

std::string_view python_strip(std::string_view text) noexcept {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!is_space(character.code)) {
      break;
    }
    text.remove_prefix(character.bytes);
  }
  while (!text.empty()) {
    const Character character = last_character(text);
    if (!is_space(character.code)) {
      break;
    }
    text.remove_suffix(character.bytes);
  }
  return text;
}

std::string lower_for_sorting(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    const char32_t lowered = lower(character.code);
    if (lowered == character.code) {
      result += text.substr(0, character.bytes);
    } else {
      append_utf8(lowered, result);
    }
    text.remove_prefix(character.bytes);
  }
  return result;
}

std::string upper_ascii(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'a' && letter <= 'z') {
      letter = static_cast<char>(letter - 'a' + 'A');
    }
  }
  return result;
}

std::string lower_ascii(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') {
      letter = static_cast<char>(letter - 'A' + 'a');
    }
  }
  return result;
}

}  // namespace nolens
