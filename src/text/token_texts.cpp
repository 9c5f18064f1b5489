// Runs the decoder over every token once, when the tokenizer is loaded.
#include "text/token_texts.h"

#include <algorithm>
#include <optional>

#include "nolens/error.h"

#include "text/replace.h"

namespace nolens {
namespace {

/// An honest decoder hardly lengthens a token; a hostile one could ask for all the memory there is.
std::size_t max_arena_bytes(const TokenizerData& data) {
  std::size_t bytes = 0;
  for (const TokenizerData::Token& token : data.tokens) {
    bytes += token.text.size();
  }
  return std::min(4 * bytes + (64U << 10U), std::size_t{1} << 30U);
}

std::optional<unsigned> hex_digit(char digit) noexcept {
  if (digit >= '0' && digit <= '9') {
    return static_cast<unsigned>(digit - '0');
  }
  const char lower = static_cast<char>(digit | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<unsigned>(lower - 'a' + 10);
  }
  return std::nullopt;
}

/// The byte that a text like <0x0A> stands for.
std::optional<char> byte_of(std::string_view text) noexcept {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') {
    return std::nullopt;
  }
  const auto high = hex_digit(text[3]);
  const auto low = hex_digit(text[4]);
  if (!high || !low) {
    return std::nullopt;
  }
  return static_cast<char>(*high << 4U | *low);
}

}  // namespace

TokenTexts::TokenTexts(const TokenizerData& data) {
  const Replacements replacements(data.decoder, data.name);
  const std::size_t max_bytes = max_arena_bytes(data);
  entries_.reserve(data.tokens.size());
  std::string buffer;
  for (const TokenizerData::Token& token : data.tokens) {
    const std::string_view text = replacements.apply(token.text, max_bytes - arena_.size(), buffer);
    const auto byte = data.decode_bytes ? byte_of(text) : std::nullopt;
    const std::string_view output = byte ? std::string_view(&*byte, 1) : text;
    if (output.size() > max_bytes - arena_.size()) {
      throw Error(ErrorCode::kModel, data.name + ": expected decoded tokens of at most " +
                                         std::to_string(max_bytes) + " bytes together");
    }
    entries_.push_back({static_cast<std::uint32_t>(arena_.size()),
                        static_cast<std::uint32_t>(output.size()) & 0x7FFFFFFFU, byte ? 1U : 0U});
    arena_ += output;
  }
}

}  // namespace nolens
