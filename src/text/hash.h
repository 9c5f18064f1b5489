// Hashing for the tables of the tokenizer. Not for anything that an attacker may choose freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nolens {

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
[[nodiscard]] inline std::uint64_t mix64(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

[[nodiscard]] inline std::uint64_t hash_text(std::string_view text) noexcept {
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15;   // 2^64 / golden ratio
  constexpr std::uint64_t kSecond = 0xD1B54A32D192ED03;  // 2^64 / plastic number squared, odd
  std::uint64_t hash = text.size() * kSecond;
  const char* data = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, data += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, 8);
    hash = mix64(hash ^ word, kFirst);
  }
  std::uint64_t tail = 0;
  for (std::size_t i = 0; i < left; ++i) {
    tail |= static_cast<std::uint64_t>(static_cast<unsigned char>(data[i])) << (8 * i);
  }
  return mix64(hash ^ tail, kSecond) ^ (hash >> 32U);
}

[[nodiscard]] inline std::uint64_t hash_pair(std::uint32_t a, std::uint32_t b) noexcept {
  return mix64((static_cast<std::uint64_t>(a) << 32U | b) ^ 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03);
}

}  // namespace nolens
