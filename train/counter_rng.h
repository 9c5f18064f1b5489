// Random numbers that are a function of (seed, index): the order of drawing, the number of ranks
// and a restart change nothing.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace nolens::train {

/// A stream of numbers for one object, such as training group `index`.
class CounterRng {
 public:
  CounterRng(std::uint64_t seed, std::uint64_t index) noexcept
      : key_(mix(mix(seed + kIncrement) ^ (index * kIncrement + 0x7F4A7C15U))) {}

  std::uint64_t next() noexcept { return mix(key_ + kIncrement * ++counter_); }
  /// In [0, 1).
  double uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  /// In [low, high], both included; low <= high.
  std::int64_t integer(std::int64_t low, std::int64_t high) noexcept {
    const auto span = static_cast<double>(high - low + 1);
    return low + static_cast<std::int64_t>(span * uniform());
  }
  bool chance(double probability) noexcept { return uniform() < probability; }
  /// Standard normal (Box and Muller 1958).
  double normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  static constexpr std::uint64_t kIncrement = 0x9E3779B97F4A7C15U;

  /// Finaliser of SplitMix64 (Steele, Lea, Flood 2014).
  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace nolens::train
