// Products of int8 with the matrix extension (smmla), which multiplies 2 by 2 rows of 8 bytes at a
// time; a single row of x goes through sdot. Otherwise what byte_product_base.h says.
#pragma once

#include <arm_neon.h>
#include <cstdint>

namespace nolens {
namespace {

struct ByteProduct {
  struct Rows {
    int8x16_t low[4];
    int8x16_t high[4];
  };
  static int32x4_t multiply_row(const Rows& w, const std::int8_t* x) noexcept {
    const int8x16_t low = vld1q_s8(x);
    const int8x16_t high = vld1q_s8(x + 16);
    int32x4_t sums[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      sums[r] = vdotq_s32(vdotq_s32(vdupq_n_s32(0), w.low[r], low), w.high[r], high);
    }
    return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
  }

  /// 8 bytes of row a, then 8 of row b, for each 8 of 32.
  struct Pair {
    int8x16_t eights[4];
  };
  static int8x16_t firsts(int8x16_t a, int8x16_t b) noexcept {
    return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
  }
  static int8x16_t seconds(int8x16_t a, int8x16_t b) noexcept {
    return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
  }
  static Pair pair(int8x16_t a_low, int8x16_t a_high, int8x16_t b_low, int8x16_t b_high) noexcept {
    return {{firsts(a_low, b_low), seconds(a_low, b_low), firsts(a_high, b_high),
             seconds(a_high, b_high)}};
  }
  /// x[0].w[0], x[0].w[1], x[1].w[0], x[1].w[1]
  static int32x4_t multiply_pairs(const Pair& x, const Pair& w) noexcept {
    int32x4_t sums = vdupq_n_s32(0);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      sums = vmmlaq_s32(sums, x.eights[i], w.eights[i]);
    }
    return sums;
  }

  template <int kM>
  static void multiply(const Rows& w, const std::int8_t* x, std::int64_t stride,
                       int32x4_t (&sums)[kM]) noexcept {
    if constexpr (kM % 2 != 0) {
#pragma GCC unroll 4
      for (int m = 0; m < kM; ++m) {
        sums[m] = multiply_row(w, x + m * stride);
      }
    } else {
      const Pair w01 = pair(w.low[0], w.high[0], w.low[1], w.high[1]);
      const Pair w23 = pair(w.low[2], w.high[2], w.low[3], w.high[3]);
#pragma GCC unroll 4
      for (int m = 0; m < kM; m += 2) {
        const std::int8_t* a = x + m * stride;
        const std::int8_t* b = a + stride;
        const Pair xs = pair(vld1q_s8(a), vld1q_s8(a + 16), vld1q_s8(b), vld1q_s8(b + 16));
        const int64x2_t left = vreinterpretq_s64_s32(multiply_pairs(xs, w01));
        const int64x2_t right = vreinterpretq_s64_s32(multiply_pairs(xs, w23));
        sums[m] = vreinterpretq_s32_s64(vzip1q_s64(left, right));
        sums[m + 1] = vreinterpretq_s32_s64(vzip2q_s64(left, right));
      }
    }
  }
};

}  // namespace
}  // namespace nolens
