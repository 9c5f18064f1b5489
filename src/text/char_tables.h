// What byte-pair encoding needs to know about single characters: their tokens, and between which
// two characters a merge can happen at all.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "text/tokenizer_data.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace nolens {

/// Token of every character that is a token by itself, one that plain text may become.
class CharTokens {
 public:
  explicit CharTokens(const Vocabulary& vocabulary);

  /// -1 if the character is not a token; also for kInvalidByte.
  [[nodiscard]] TokenId find(char32_t code_point) const noexcept {
    if (code_point > 0x10FFFF) {
      return -1;
    }
    return tokens_[static_cast<std::size_t>(pages_[code_point >> 8U]) << 8U | (code_point & 0xFFU)];
  }

 private:
  static constexpr std::size_t kPages = 0x110000 >> 8U;

  std::array<std::uint16_t, kPages> pages_{};  // page 0 of tokens_ is the empty one
  std::vector<TokenId> tokens_;
};

/// The pairs of characters at which the two sides of a merge meet.
///
/// Between characters a and b for which no merge has a left part that ends with a and a right part
/// that begins with b, a text can be cut without changing its encoding: a token that spans the
/// place would have to be made by a merge whose parts meet there.
class Junctions {
 public:
  explicit Junctions(const TokenizerData& data);

  /// False only if no merge joins a and b. (True may be a coincidence of hashes: harmless.)
  [[nodiscard]] bool may_join(char32_t a, char32_t b) const noexcept {
    const std::size_t bit = a < kAscii && b < kAscii ? a * kAscii + b : hashed_bit(a, b);
    return (bits_[bit / 64] >> (bit % 64) & 1U) != 0;
  }

 private:
  static constexpr std::size_t kAscii = 128;
  static constexpr unsigned kHashBits = 20;

  static std::size_t hashed_bit(char32_t a, char32_t b) noexcept;

  std::vector<std::uint64_t> bits_;  // 128 * 128 exact bits, then 2^20 hashed ones
};

}  // namespace nolens
