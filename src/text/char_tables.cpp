// Both tables are filled once, when the tokenizer is loaded.
#include "text/char_tables.h"

#include "text/hash.h"

namespace nolens {
namespace {

char32_t last_char(std::string_view text) noexcept {
  std::size_t offset = text.size() - 1;
  while (offset > 0 && (static_cast<unsigned char>(text[offset]) & 0xC0U) == 0x80U) {
    --offset;
  }
  return decode_char(text, offset).code_point;
}

}  // namespace

CharTokens::CharTokens(const Vocabulary& vocabulary) : tokens_(256, -1) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const std::string_view text = vocabulary.text(id);
    if (text.size() > 4 || !vocabulary.is_plain(id)) {
      continue;
    }
    const DecodedChar decoded = decode_char(text, 0);
    if (decoded.length != text.size()) {
      continue;
    }
    std::uint16_t& page = pages_[decoded.code_point >> 8U];
    if (page == 0) {
      page = static_cast<std::uint16_t>(tokens_.size() >> 8U);
      tokens_.resize(tokens_.size() + 256, -1);
    }
    tokens_[static_cast<std::size_t>(page) << 8U | (decoded.code_point & 0xFFU)] = id;
  }
}

Junctions::Junctions(const TokenizerData& data)
    : bits_((kAscii * kAscii + (std::size_t{1} << kHashBits)) / 64) {
  for (const auto& [left, right] : data.merges) {
    const char32_t a = last_char(left);
    const char32_t b = decode_char(right, 0).code_point;
    const std::size_t bit = a < kAscii && b < kAscii ? a * kAscii + b : hashed_bit(a, b);
    bits_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
}

std::size_t Junctions::hashed_bit(char32_t a, char32_t b) noexcept {
  return kAscii * kAscii + (hash_pair(a, b) >> (64U - kHashBits));
}

}  // namespace nolens
