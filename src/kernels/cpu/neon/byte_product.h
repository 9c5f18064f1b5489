// Products of int8 on aarch64, with what the translation unit is compiled for: Advanced SIMD as
// every aarch64 has it, the dot-product extension (sdot), or the matrix extension (smmla) as well.
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

  /// Four sums that together are the product of 32 bytes with 32 bytes.
  static int32x4_t partial_sums(int8x16_t w_low, int8x16_t w_high, int8x16_t low,
                                int8x16_t high) noexcept {
#ifdef __ARM_FEATURE_DOTPROD
    return vdotq_s32(vdotq_s32(vdupq_n_s32(0), w_low, low), w_high, high);
#else
    // Two products fit 16 bits: 2 * 128 * 127 < 2^15.
    const int16x8_t first =
        vmlal_high_s8(vmull_s8(vget_low_s8(w_low), vget_low_s8(low)), w_low, low);
    const int16x8_t second =
        vmlal_high_s8(vmull_s8(vget_low_s8(w_high), vget_low_s8(high)), w_high, high);
    return vpadalq_s16(vpaddlq_s16(first), second);
#endif
  }

  /// Lane r of the result: row r of w times x.
  static int32x4_t multiply_row(const Rows& w, const std::int8_t* x) noexcept {
    const int8x16_t low = vld1q_s8(x);
    const int8x16_t high = vld1q_s8(x + 16);
    int32x4_t sums[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      sums[r] = partial_sums(w.low[r], w.high[r], low, high);
    }
    return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
  }

  /// The same for kM rows of x, `stride` apart.
  template <int kM>
  static void multiply(const Rows& w, const std::int8_t* x, std::int64_t stride,
                       int32x4_t (&sums)[kM]) noexcept {
#ifdef __ARM_FEATURE_MATMUL_INT8
    if constexpr (kM % 2 == 0) {
      multiply_by_pairs(w, x, stride, sums);
      return;
    }
#endif
#pragma GCC unroll 4
    for (int m = 0; m < kM; ++m) {
      sums[m] = multiply_row(w, x + m * stride);
    }
  }

#ifdef __ARM_FEATURE_MATMUL_INT8
 private:
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

  /// smmla multiplies 2 by 2 rows of 8 bytes at a time.
  template <int kM>
  static void multiply_by_pairs(const Rows& w, const std::int8_t* x, std::int64_t stride,
                                int32x4_t (&sums)[kM]) noexcept {
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
#endif
};

}  // namespace
}  // namespace nolens
