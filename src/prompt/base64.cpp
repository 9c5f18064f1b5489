#include "prompt/base64.h"

#include <array>
#include <cstdint>

#include "nolens/error.h"

#include "core/escape.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

constexpr std::uint8_t kInvalid = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kInvalid);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> kValues = make_values();

[[noreturn]] void fail(const std::string& name, std::size_t index, const std::string& what) {
  throw Error(ErrorCode::kInput,
              name + ": invalid base64 at character " + std::to_string(index + 1) + ": " + what);
}

std::string describe(char letter) {
  switch (letter) {
    case '-':
    case '_':
      return std::string("'") + letter + "' belongs to the URL-safe alphabet; use '+' and '/'";
    case ' ':
    case '\t':
    case '\r':
    case '\n': return "white space is not allowed";
    case '=': return "'=' may only stand at the end";
    default: return "unexpected '" + escape_for_message(std::string_view(&letter, 1)) + "'";
  }
}

}  // namespace

std::vector<std::byte> decode_base64(std::string_view text, const std::string& name) {
  std::string_view body = text;
  for (int i = 0; i < 2 && !body.empty() && body.back() == '='; ++i) {
    body.remove_suffix(1);
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (kValues[static_cast<unsigned char>(body[i])] == kInvalid) {
      fail(name, i, describe(body[i]));
    }
  }
  if (text.size() % 4 != 0 || body.size() % 4 == 1) {
    fail(name, text.size(),
         "the length must be a multiple of four with '=' as padding, found " +
             std::to_string(text.size()) + " characters");
  }

  std::vector<std::byte> bytes;
  bytes.reserve(body.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char letter : body) {
    bits = (bits << 6U) | kValues[static_cast<unsigned char>(letter)];
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<std::byte>((bits >> count) & 0xFFU));
    }
  }
  if ((bits & ((1U << count) - 1U)) != 0) {
    fail(name, body.size() - 1, "unused bits of the last character are not zero");
  }
  return bytes;
}

std::vector<std::byte> decode_data_url(std::string_view url, std::string_view kind,
                                       const std::string& name) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kBase64 = ";base64";
  const std::size_t comma = url.find(',');
  if (lower_ascii(url.substr(0, kScheme.size())) != kScheme || comma == std::string_view::npos) {
    throw Error(ErrorCode::kInput, name +
                                       ": expected a data URL, \"data:" + std::string(kind) +
                                       "/…;base64,…\", found \"" +
                                       escape_for_message(url, 40) + "\"");
  }
  std::string type = lower_ascii(url.substr(kScheme.size(), comma - kScheme.size()));
  if (!type.ends_with(kBase64)) {
    throw Error(ErrorCode::kInput, name + ": the data URL must be base64-encoded, found \"" +
                                       escape_for_message(type, 40) + "\" before the comma");
  }
  type.resize(type.size() - kBase64.size());
  if (!type.starts_with(std::string(kind) + "/")) {
    throw Error(ErrorCode::kInput, name + ": expected a type that begins with " +
                                       std::string(kind) + "/ in the data URL, found \"" +
                                       escape_for_message(type, 40) + "\"");
  }
  return decode_base64(url.substr(comma + 1), name);
}

}  // namespace nolens
