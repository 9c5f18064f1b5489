// Q8_0 weights times int8 activations for x86. Include after a byte_product_*.h; avx512/ adds
// panels of twice the width.
//
// Order, the same for every shape: sum = 0; for each block of 32 in turn
// sum = fma(float(sum of the block's 32 products), weight scale * activation scale, sum); then the
// bias. The integer sums are exact, so that their order is free, which is what the two paths use:
// one row of x reads weights in place, 8 rows at a time; more rows share a transposed panel.
#pragma once

#include "kernels/cpu/generic/linear.inl"

namespace nolens {
namespace {

inline const __m256i* as_bytes32(const void* p) noexcept {
  return static_cast<const __m256i*>(p);
}

/// Q8_0 blocks number b of 8 consecutive rows; rows from `count` on repeat the last one.
struct EightRows {
  const unsigned char* rows[8];

  EightRows(const WeightRows& w, std::int64_t n, std::int64_t count) noexcept {
    for (std::int64_t r = 0; r < 8; ++r) {
      rows[r] = w.data + (n + (r < count ? r : count - 1)) * w.row_bytes;
    }
  }
  [[nodiscard]] __m256i bytes(int r, std::int64_t b) const noexcept {
    return ByteProduct::prepare(_mm256_loadu_si256(as_bytes32(rows[r] + b * 34 + 2)));
  }
  [[nodiscard]] __m256 scales(std::int64_t b) const noexcept {
    std::int16_t d[8];
#pragma GCC unroll 8
    for (int r = 0; r < 8; ++r) {
      __builtin_memcpy(&d[r], rows[r] + b * 34, 2);
    }
    return _mm256_cvtph_ps(_mm_setr_epi16(d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]));
  }
};

/// Lane r: the sum of the lanes of v[r].
inline __m256i sum_of_each(const __m256i (&v)[8]) noexcept {
  __m256i fours[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(v[4 * i], v[4 * i + 1]),
                                       _mm256_unpackhi_epi32(v[4 * i], v[4 * i + 1]));
    const __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(v[4 * i + 2], v[4 * i + 3]),
                                       _mm256_unpackhi_epi32(v[4 * i + 2], v[4 * i + 3]));
    fours[i] = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
  }
  return _mm256_add_epi32(_mm256_permute2x128_si256(fours[0], fours[1], 0x20),
                          _mm256_permute2x128_si256(fours[0], fours[1], 0x31));
}

/// Element (r, c) of 8 vectors of 8 goes to (c, r).
inline void transpose(__m256i (&v)[8]) noexcept {
  __m256i t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  __m256i u[8];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2x128_si256(u[i], u[4 + i], 0x20);
    v[4 + i] = _mm256_permute2x128_si256(u[i], u[4 + i], 0x31);
  }
}

void int8_linear_one_row(const Int8LinearArgs& a, std::int64_t m) noexcept {
  const std::int64_t blocks = a.k / 32;
  const std::int8_t* x = a.x.q + m * a.k;
  const float* x_scales = a.x.scales + m * blocks;
  const std::int32_t* x_sums = a.x.sums + m * blocks;
  for (std::int64_t n = a.n0; n < a.n1; n += 8) {
    const std::int64_t count = smaller(8, a.n1 - n);
    const EightRows rows(a.w, n, count);
    __m256 sum = _mm256_setzero_ps();
    for (std::int64_t b = 0; b < blocks; ++b) {
      const __m256i xs = _mm256_loadu_si256(as_bytes32(x + b * 32));
      __m256i products[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) {
        products[r] = ByteProduct::multiply_add(_mm256_setzero_si256(), rows.bytes(r, b), xs);
      }
      const __m256i excess = _mm256_set1_epi32(ByteProduct::kExcess * x_sums[b]);
      const __m256i exact = _mm256_sub_epi32(sum_of_each(products), excess);
      const __m256 scale = _mm256_mul_ps(rows.scales(b), _mm256_set1_ps(x_scales[b]));
      sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), scale, sum);
    }
    float sums[8];
    _mm256_storeu_ps(sums, sum);
    float* y = a.y + m * a.y_stride + n;
    for (std::int64_t r = 0; r < count; ++r) {
      y[r] = a.bias == nullptr ? sums[r] : sums[r] + a.bias[n + r];
    }
  }
}

// 1024 values of 16 rows are 16 KiB, half of a level 1 cache.
constexpr std::int64_t kInt8PanelBlocks = 32;

/// Weights of kRows rows, transposed: 4 bytes of every row side by side, and their scales.
template <int kRows>
struct Int8Panel {
  alignas(64) std::int8_t bytes[kInt8PanelBlocks * 8][kRows][4];
  alignas(64) float scales[kInt8PanelBlocks][kRows];

  void fill(const WeightRows& w, std::int64_t n, std::int64_t count, std::int64_t b0,
            std::int64_t blocks) noexcept {
    for (int part = 0; part < kRows; part += 8) {
      const std::int64_t first = smaller(part, count - 1);
      const EightRows rows(w, n + first, count - first);
      for (std::int64_t b = 0; b < blocks; ++b) {
        __m256i v[8];
#pragma GCC unroll 8
        for (int r = 0; r < 8; ++r) {
          v[r] = rows.bytes(r, b0 + b);
        }
        transpose(v);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
          _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(bytes[b * 8 + i][part])),
                             v[i]);
        }
        _mm256_store_ps(&scales[b][part], rows.scales(b0 + b));
      }
    }
  }
};

/// kM rows of x times a panel; Wide gives the vector operations on kRows lanes.
template <class Wide, int kM>
inline void int8_panel_tile(const Int8LinearArgs& a, const Int8Panel<Wide::kRows>& panel,
                            std::int64_t b0, std::int64_t blocks, std::int64_t m,
                            float (&sums)[kM][Wide::kRows]) noexcept {
  const std::int64_t row_blocks = a.k / 32;
  const std::int8_t* x = a.x.q + m * a.k + b0 * 32;
  const float* x_scales = a.x.scales + m * row_blocks + b0;
  const std::int32_t* x_sums = a.x.sums + m * row_blocks + b0;
  typename Wide::Floats acc[kM];
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) {
    acc[i] = Wide::load(sums[i]);
  }
  for (std::int64_t b = 0; b < blocks; ++b) {
    typename Wide::Ints products[kM];
#pragma GCC unroll 8
    for (int i = 0; i < kM; ++i) {
      products[i] = Wide::set1(-ByteProduct::kExcess * x_sums[i * row_blocks + b]);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const typename Wide::Ints w = Wide::load_bytes(panel.bytes[b * 8 + j][0]);
#pragma GCC unroll 8
      for (int i = 0; i < kM; ++i) {
        products[i] =
            Wide::multiply_add(products[i], w, Wide::repeat4(x + i * a.k + b * 32 + j * 4));
      }
    }
    const typename Wide::Floats w_scales = Wide::load(panel.scales[b]);
#pragma GCC unroll 8
    for (int i = 0; i < kM; ++i) {
      acc[i] =
          Wide::multiply_add_scaled(products[i], w_scales, x_scales[i * row_blocks + b], acc[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kM; ++i) {
    Wide::store(sums[i], acc[i]);
  }
}

/// y carries the sums from one part of K to the next.
template <class Wide, int kM>
inline void int8_panel_rows(const Int8LinearArgs& a, const Int8Panel<Wide::kRows>& panel,
                            std::int64_t b0, std::int64_t blocks, std::int64_t n,
                            std::int64_t m) noexcept {
  const std::int64_t count = smaller(Wide::kRows, a.n1 - n);
  alignas(64) float sums[kM][Wide::kRows] = {};
  float* y = a.y + m * a.y_stride + n;
  if (b0 > 0) {
    for (int i = 0; i < kM; ++i) {
      for (std::int64_t r = 0; r < count; ++r) {
        sums[i][r] = y[i * a.y_stride + r];
      }
    }
  }
  int8_panel_tile<Wide, kM>(a, panel, b0, blocks, m, sums);
  const bool last = (b0 + blocks) * 32 == a.k;
  for (int i = 0; i < kM; ++i) {
    for (std::int64_t r = 0; r < count; ++r) {
      y[i * a.y_stride + r] = last && a.bias != nullptr ? sums[i][r] + a.bias[n + r] : sums[i][r];
    }
  }
}

template <class Wide>
void int8_linear(const Int8LinearArgs& a) noexcept {
  if (a.m == 1) {
    int8_linear_one_row(a, 0);
    return;
  }
  Int8Panel<Wide::kRows> panel;
  const std::int64_t row_blocks = a.k / 32;
  for (std::int64_t b = 0; b < row_blocks; b += kInt8PanelBlocks) {
    const std::int64_t blocks = smaller(kInt8PanelBlocks, row_blocks - b);
    for (std::int64_t n = a.n0; n < a.n1; n += Wide::kRows) {
      panel.fill(a.w, n, smaller(Wide::kRows, a.n1 - n), b, blocks);
      std::int64_t m = 0;
      for (; m + Wide::kTileM <= a.m; m += Wide::kTileM) {
        int8_panel_rows<Wide, Wide::kTileM>(a, panel, b, blocks, n, m);
      }
      for (; m < a.m; ++m) {
        int8_panel_rows<Wide, 1>(a, panel, b, blocks, n, m);
      }
    }
  }
}

/// 8 lanes. 4 sums and 4 products, one vector each of w and x and what ByteProduct needs fit into
/// 16 registers.
struct EightLanes {
  static constexpr int kRows = 8;
  static constexpr int kTileM = 4;
  using Ints = __m256i;
  using Floats = __m256;
  static Ints set1(std::int32_t value) noexcept { return _mm256_set1_epi32(value); }
  static Ints load_bytes(const std::int8_t* p) noexcept { return _mm256_load_si256(as_bytes32(p)); }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
  }
  static Ints multiply_add(Ints sum, Ints w, Ints x) noexcept {
    return ByteProduct::multiply_add(sum, w, x);
  }
  static Floats load(const float* p) noexcept { return _mm256_load_ps(p); }
  static void store(float* p, Floats v) noexcept { _mm256_store_ps(p, v); }
  static Floats multiply_add_scaled(Ints products, Floats w_scales, float x_scale,
                                    Floats sum) noexcept {
    const Floats scale = _mm256_mul_ps(w_scales, _mm256_set1_ps(x_scale));
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scale, sum);
  }
};

}  // namespace
}  // namespace nolens
