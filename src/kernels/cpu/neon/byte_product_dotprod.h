// Products of int8 with the dot-product extension (sdot): what byte_product_base.h says.
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
