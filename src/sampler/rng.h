// Random numbers that are a function of (seed, position): nothing to save, nothing to share.
#pragma once

#include <cstdint>

namespace nolens {

/// SplitMix64's mixer (Steele, Lea, Flood 2014): every input bit reaches every output bit.
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EBU;
  return value ^ (value >> 31);
}

/// Number `position` of stream `seed`, uniform in [0, 1), a multiple of 2^-53.
[[nodiscard]] constexpr double uniform(std::uint64_t seed, std::uint64_t position) noexcept {
  constexpr std::uint64_t kGolden = 0x9E37'79B9'7F4A'7C15U;
  // The seed is mixed before positions are added: neighbouring seeds are no shifted copies.
  const std::uint64_t bits = mix_bits(mix_bits(seed + kGolden) + (position + 1) * kGolden);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace nolens
