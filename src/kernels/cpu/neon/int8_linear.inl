// Q8_0 weights times int8 activations on aarch64, read in place, 4 rows of w by up to 4 rows of x
// at a time. Include after byte_product.h.
//
// Order, the same for every shape: sum = 0; for each block of 32 in turn
// sum = fma(float(sum of the block's 32 products), weight scale * activation scale, sum); then the
// bias.
#pragma once

#include "kernels/cpu/generic/linear.inl"

namespace nolens {
namespace {

// 4 rows of 32 blocks are 4.3 KiB, 4 rows of x 4 KiB: both stay in the level 1 cache.
constexpr std::int64_t kInt8Blocks = 32;
constexpr int kInt8TileM = 4;

/// Rows n … n + 3; rows from `count` on repeat the last one.
struct FourRows {
  const unsigned char* rows[4];

  FourRows(const WeightRows& w, std::int64_t n, std::int64_t count) noexcept {
    for (std::int64_t r = 0; r < 4; ++r) {
      rows[r] = w.data + (n + smaller(r, count - 1)) * w.row_bytes;
    }
  }
  [[nodiscard]] ByteProduct::Rows bytes(std::int64_t b) const noexcept {
    ByteProduct::Rows result;
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      result.low[r] = vreinterpretq_s8_u8(vld1q_u8(rows[r] + b * 34 + 2));
      result.high[r] = vreinterpretq_s8_u8(vld1q_u8(rows[r] + b * 34 + 18));
    }
    return result;
  }
  [[nodiscard]] float32x4_t scales(std::int64_t b) const noexcept {
    std::uint16_t d[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      __builtin_memcpy(&d[r], rows[r] + b * 34, 2);
    }
    return from_f16(vld1_u16(d)).v;
  }
};

/// Blocks [b0, b1) of K; y carries the sums of the blocks before.
template <int kM>
inline void int8_tile(const Int8LinearArgs& a, const FourRows& rows, std::int64_t b0,
                      std::int64_t b1, std::int64_t n, std::int64_t m) noexcept {
  const std::int64_t count = smaller(4, a.n1 - n);
  const std::int64_t row_blocks = a.k / 32;
  const std::int8_t* x = a.x.q + m * a.k;
  const float* x_scales = a.x.scales + m * row_blocks;
  float* y = a.y + m * a.y_stride + n;
  float sums[kM][4] = {};
  if (b0 > 0) {
    for (int i = 0; i < kM; ++i) {
      for (std::int64_t r = 0; r < count; ++r) {
        sums[i][r] = y[i * a.y_stride + r];
      }
    }
  }
  float32x4_t acc[kM];
#pragma GCC unroll 4
  for (int i = 0; i < kM; ++i) {
    acc[i] = vld1q_f32(sums[i]);
  }
  for (std::int64_t b = b0; b < b1; ++b) {
    int32x4_t products[kM];
    ByteProduct::multiply<kM>(rows.bytes(b), x + b * 32, a.k, products);
    const float32x4_t w_scales = rows.scales(b);
#pragma GCC unroll 4
    for (int i = 0; i < kM; ++i) {
      const float32x4_t scale = vmulq_n_f32(w_scales, x_scales[i * row_blocks + b]);
      acc[i] = vfmaq_f32(acc[i], vcvtq_f32_s32(products[i]), scale);
    }
  }
  const bool last = b1 == row_blocks;
  for (int i = 0; i < kM; ++i) {
    vst1q_f32(sums[i], acc[i]);
    for (std::int64_t r = 0; r < count; ++r) {
      y[i * a.y_stride + r] = last && a.bias != nullptr ? sums[i][r] + a.bias[n + r] : sums[i][r];
    }
  }
}

void int8_linear(const Int8LinearArgs& a) noexcept {
  const std::int64_t row_blocks = a.k / 32;
  // One row streams through whole rows of w; more rows share parts of them in the cache.
  const std::int64_t step = a.m == 1 ? row_blocks : kInt8Blocks;
  for (std::int64_t b = 0; b < row_blocks; b += step) {
    const std::int64_t end = smaller(row_blocks, b + step);
    for (std::int64_t n = a.n0; n < a.n1; n += 4) {
      const FourRows rows(a.w, n, smaller(4, a.n1 - n));
      std::int64_t m = 0;
      for (; m + kInt8TileM <= a.m; m += kInt8TileM) {
        int8_tile<kInt8TileM>(a, rows, b, end, n, m);
      }
      for (; m < a.m; ++m) {
        int8_tile<1>(a, rows, b, end, n, m);
      }
    }
  }
}

}  // namespace
}  // namespace nolens
