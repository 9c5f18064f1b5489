// Activations rounded to int8, in plain loops that the compiler turns into vectors.
#pragma once

namespace nolens {
namespace {

inline std::uint32_t bits_of(float value) noexcept {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

void quantize_int8(const float* x, std::int64_t blocks, std::int8_t* q, float* scales,
                   std::int32_t* sums) noexcept {
  constexpr float kRounder = 12'582'912.0F;  // 1.5 * 2^23: sums with it have no fraction bits
  for (std::int64_t b = 0; b < blocks; ++b, x += 32, q += 32) {
    std::uint32_t peak_bits = 0;  // magnitudes order as their bits do, NaN above infinity
    for (int j = 0; j < 32; ++j) {
      const std::uint32_t bits = bits_of(x[j]) & 0x7FFF'FFFFU;
      peak_bits = bits > peak_bits ? bits : peak_bits;
    }
    if (peak_bits >= 0x7F80'0000U || peak_bits < bits_of(0x1p-100F)) {
      for (int j = 0; j < 32; ++j) {
        q[j] = 0;
      }
      scales[b] = peak_bits >= 0x7F80'0000U ? __builtin_nanf("") : 0.0F;
      sums[b] = 0;
      continue;
    }
    float peak = 0.0F;
    __builtin_memcpy(&peak, &peak_bits, 4);
    const float inverse = 127.0F / peak;
    std::int32_t sum = 0;
    for (int j = 0; j < 32; ++j) {
      const std::uint32_t bits = bits_of(x[j] * inverse + kRounder);
      const auto value = static_cast<std::int32_t>(bits - bits_of(kRounder));
      q[j] = static_cast<std::int8_t>(value);
      sum += value;
    }
    scales[b] = peak / 127.0F;
    sums[b] = sum;
  }
}

}  // namespace
}  // namespace nolens
