// Arithmetic on sizes that came from a file.
#pragma once

#include <cstdint>
#include <optional>

namespace nolens {

/// a * b, or nothing if a factor is negative or the product does not fit.
[[nodiscard]] constexpr std::optional<std::int64_t> checked_mul(std::int64_t a,
                                                                std::int64_t b) noexcept {
  std::int64_t product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    return std::nullopt;
  }
  return product;
}

/// a + b, or nothing if a summand is negative or the sum does not fit.
[[nodiscard]] constexpr std::optional<std::int64_t> checked_add(std::int64_t a,
                                                                std::int64_t b) noexcept {
  std::int64_t sum = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) {
    return std::nullopt;
  }
  return sum;
}

/// Smallest multiple of `unit` that is >= value. value >= 0, unit > 0.
[[nodiscard]] constexpr std::int64_t round_up(std::int64_t value, std::int64_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t value, std::int64_t unit) noexcept {
  return (value + unit - 1) / unit;
}

}  // namespace nolens
