// bfloat16 and IEEE half as storage types, with scalar conversions.
#pragma once

#include <bit>
#include <cstdint>

namespace nolens {

/// Upper half of a float32.
struct Bf16 {
  std::uint16_t bits;
};
/// IEEE 754 binary16.
struct F16 {
  std::uint16_t bits;
};

[[nodiscard]] constexpr float to_float(Bf16 value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// Rounds to nearest, ties to even; NaN stays NaN.
[[nodiscard]] constexpr Bf16 to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFF'FFFFU) > 0x7F80'0000U) {
    return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  }
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

/// Exact for every half, subnormals, infinities and NaN included.
[[nodiscard]] constexpr float to_float(F16 value) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  std::uint32_t mantissa = value.bits & 0x3FFU;
  if (exponent == 0x1FU) {
    return std::bit_cast<float>(sign | 0x7F80'0000U | (mantissa << 13));
  }
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  }
  // Subnormal or zero: mantissa * 2^-24, which float32 holds exactly.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

/// Rounds to nearest, ties to even; overflow becomes infinity; NaN stays NaN.
[[nodiscard]] constexpr F16 to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  if (magnitude > 0x7F80'0000U) {
    return {static_cast<std::uint16_t>(sign | 0x7E00U)};
  }
  if (magnitude >= 0x4780'0000U) {  // >= 65536, or infinity
    return {static_cast<std::uint16_t>(sign | 0x7C00U)};
  }
  if (magnitude < 0x3880'0000U) {  // below the smallest normal half: a multiple of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24F;
    const auto floor = static_cast<std::uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(floor);
    const bool up = rest > 0.5F || (rest == 0.5F && (floor & 1U) != 0);
    return {static_cast<std::uint16_t>(sign | (floor + (up ? 1U : 0U)))};
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x3800'0000U) >> 13))};
}

}  // namespace nolens
