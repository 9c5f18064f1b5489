// Tells whether bytes that come back from a disk are those that went there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace nolens::train {

/// 64 bits over any number of pieces. Every step maps the state one-to-one for a given word and the
/// word one-to-one for a given state, so that damage within one aligned word of 8 bytes is found
/// with certainty and any other damage but for one chance in 2^64. Not against forgers.
class Checksum {
 public:
  /// Where one piece ends and the next begins counts too.
  void add(std::span<const std::byte> bytes) noexcept {
    std::size_t i = 0;
    for (; i + kWord <= bytes.size(); i += kWord) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, kWord);
      mix(word);
    }
    std::uint64_t rest = 0;
    if (i < bytes.size()) {
      std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
    }
    mix(rest);
    mix(bytes.size());
  }
  void add(const std::string& text) noexcept { add(std::as_bytes(std::span(text))); }

  /// 16 hexadecimal digits: JSON numbers would lose bits.
  [[nodiscard]] std::string text() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) {
      digits += "0123456789abcdef"[(state_ >> shift) & 15U];
    }
    return digits;
  }

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);

  /// Multiplication by an odd number and an exclusive or with higher bits can both be undone.
  void mix(std::uint64_t word) noexcept {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 32U;
  }

  std::uint64_t state_ = 0x6A09E667F3BCC909U;
};

}  // namespace nolens::train
