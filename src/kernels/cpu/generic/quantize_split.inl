// Activations as integers with low and high parts (SplitRows), in plain loops that the compiler
// turns into vectors.
//
// One scale for 256 columns would be coarse if the largest value set it: the normalised activations
// of these models have a few columns 10 to 100 times as large as the rest. So the bulk sets the
// scale, and what does not fit 8 bits gets a second byte.
#pragma once

#include "kernels/cpu/generic/quantize_int8.inl"

namespace nolens {
namespace {

inline constexpr int kMaximaLanes = 16;
// Of the median of the maxima of 16 columns each: 2.7 standard deviations of a normal distribution.
// Smaller means less rounding error and more high parts; figures in src/kernels/README.md.
inline constexpr float kBulk = 1.5F;
inline constexpr float kLargest = 16256.0F;

/// The ninth smallest of 16 values that are not NaN.
inline float median_of_16(const float (&values)[kMaximaLanes]) noexcept {
  std::int32_t ranks[kMaximaLanes] =
      {};  // equal values in their order, so that no rank is there twice
  for (int j = 0; j < kMaximaLanes; ++j) {
    for (int i = 0; i < kMaximaLanes; ++i) {
      const std::int32_t less = values[j] < values[i] ? 1 : 0;
      const std::int32_t same = values[j] == values[i] ? 1 : 0;
      const std::int32_t before = j < i ? 1 : 0;
      ranks[i] += less | (same & before);
    }
  }
  float median = 0.0F;
  for (int i = 0; i < kMaximaLanes; ++i) {
    median += ranks[i] == kMaximaLanes / 2 ? values[i] : 0.0F;
  }
  return median;
}

/// Magnitudes as bits order as the values do, NaN above infinity.
inline void lane_maxima(const float* x, std::int64_t count,
                        std::uint32_t (&maxima)[kMaximaLanes]) noexcept {
  for (std::int64_t j = 0; j < count; j += kMaximaLanes) {
    for (int lane = 0; lane < kMaximaLanes; ++lane) {
      const std::uint32_t bits = bits_of(x[j + lane]) & 0x7FFF'FFFFU;
      maxima[lane] = bits > maxima[lane] ? bits : maxima[lane];
    }
  }
}

/// Sums of 16, 32 and 64 columns; of a short group, those of the columns it has.
inline void add_up(const std::int32_t (&sums16)[kMaximaLanes], std::int64_t row,
                   const SplitRows& rows) noexcept {
  std::int32_t* of32 = rows.sums32 + row * 8;
  std::int32_t* of64 = rows.sums64 + row * 4;
  for (int i = 0; i < 16; ++i) {
    rows.sums16[row * 16 + i] = sums16[i];
  }
  for (int i = 0; i < 8; ++i) {
    of32[i] = sums16[2 * i] + sums16[2 * i + 1];
  }
  for (int i = 0; i < 4; ++i) {
    of64[i] = of32[2 * i] + of32[2 * i + 1];
  }
}

/// One group of `count` columns, a multiple of 16.
inline void quantize_split_group(const float* x, std::int64_t count, std::int64_t row,
                                 const SplitRows& rows) noexcept {
  constexpr float kRounder = 12'582'912.0F;  // 1.5 * 2^23: sums with it have no fraction bits
  std::int8_t* low = rows.low + row * kGroupColumns;
  std::int8_t* high = rows.high + row * kGroupColumns;
  std::uint32_t maximum_bits[kMaximaLanes] = {};
  lane_maxima(x, count, maximum_bits);
  float maxima[kMaximaLanes];
  __builtin_memcpy(maxima, maximum_bits, sizeof(maxima));
  std::uint32_t peak_bits = 0;
  for (const std::uint32_t bits : maximum_bits) {
    peak_bits = bits > peak_bits ? bits : peak_bits;
  }
  std::int32_t sums16[kMaximaLanes] = {};
  if (peak_bits >= 0x7F80'0000U || peak_bits < bits_of(0x1p-100F)) {
    for (std::int64_t j = 0; j < count; ++j) {
      low[j] = 0;
      high[j] = 0;
    }
    rows.scales[row] = peak_bits >= 0x7F80'0000U ? __builtin_nanf("") : 0.0F;
    rows.high_steps[row] = 0;
    add_up(sums16, row, rows);
    return;
  }
  float peak = 0.0F;
  __builtin_memcpy(&peak, &peak_bits, 4);
  const float bulk = kBulk * median_of_16(maxima);
  const float covered = (bulk < peak ? bulk : peak) / 127.0F;
  const float scale = covered > peak / kLargest ? covered : peak / kLargest;
  const float inverse = 1.0F / scale;
  alignas(64) std::int32_t values[kGroupColumns];
  std::int32_t any = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const auto value =
        static_cast<std::int32_t>(bits_of(x[j] * inverse + kRounder) - bits_of(kRounder));
    const std::int32_t rounded = (value + 64) >> 7;
    const std::int32_t upper = value > 127 || value < -127 ? rounded : 0;
    values[j] = value;
    low[j] = static_cast<std::int8_t>(value - 128 * upper);
    high[j] = static_cast<std::int8_t>(upper);
    any |= upper;
  }
  for (std::int64_t i = 0; i < count / 16; ++i) {
    std::int32_t sum = 0;
    for (int j = 0; j < 16; ++j) {
      sum += values[16 * i + j];
    }
    sums16[i] = sum;
  }
  std::uint64_t steps = 0;
  for (std::int64_t s = 0; any != 0 && s < count / kStepColumns; ++s) {
    std::uint32_t four = 0;
    __builtin_memcpy(&four, high + s * kStepColumns, 4);
    steps |= static_cast<std::uint64_t>(four != 0 ? 1 : 0) << static_cast<unsigned>(s);
  }
  rows.scales[row] = scale;
  rows.high_steps[row] = steps;
  add_up(sums16, row, rows);
}

void quantize_split(const float* x, std::int64_t k, std::int64_t m,
                    const SplitRows& rows) noexcept {
  for (std::int64_t g = 0; g * kGroupColumns < k; ++g) {
    const std::int64_t rest = k - g * kGroupColumns;
    quantize_split_group(x + g * kGroupColumns, rest < kGroupColumns ? rest : kGroupColumns,
                         g * rows.rows + m, rows);
  }
}

}  // namespace
}  // namespace nolens
