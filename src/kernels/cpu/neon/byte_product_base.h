// Products of int8 with Advanced SIMD as every aarch64 has it.
#pragma once

#include <arm_neon.h>
#include <cstdint>

namespace nolens {
namespace {

/// Sums of products of 32 bytes of 4 rows of w with 32 bytes of rows of x.
struct ByteProduct {
  /// 4 rows, 32 bytes each.
  struct Rows {
    int8x16_t low[4];
    int8x16_t high[4];
  };
  /// Lane r of the result: row r of w times x.
  static int32x4_t multiply_row(const Rows& w, const std::int8_t* x) noexcept {
    const int8x16_t low = vld1q_s8(x);
    const int8x16_t high = vld1q_s8(x + 16);
    int32x4_t sums[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      // Two products fit 16 bits: 2 * 128 * 127 < 2^15.
      const int16x8_t first =
          vmlal_high_s8(vmull_s8(vget_low_s8(w.low[r]), vget_low_s8(low)), w.low[r], low);
      const int16x8_t second =
          vmlal_high_s8(vmull_s8(vget_low_s8(w.high[r]), vget_low_s8(high)), w.high[r], high);
      sums[r] = vpadalq_s16(vpaddlq_s16(first), second);
    }
    return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
  }
  /// The same for kM rows of x, `stride` apart.
  template <int kM>
  static void multiply(const Rows& w, const std::int8_t* x, std::int64_t stride,
                       int32x4_t (&sums)[kM]) noexcept {
#pragma GCC unroll 4
    for (int m = 0; m < kM; ++m) {
      sums[m] = multiply_row(w, x + m * stride);
    }
  }
};

}  // namespace
}  // namespace nolens
