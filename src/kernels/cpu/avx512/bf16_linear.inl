// y = x * w^T + bias with bfloat16 on both sides: vdpbf16ps adds two products to each of 16 lanes.
//
// Order of additions, the same for every shape: k runs in blocks of kSumBlock. In a block each
// output has four lanes; lane l adds the pairs k = 2l, 2l + 1, then 8 further on. The lanes are
// bf16_folded, (l0 + l2) + (l1 + l3); the blocks' sums are added one after the other; then the
// bias.
//
// A vector of weights holds 8 values of k of 4 outputs, so that 16 bytes of x, bf16_repeated four
// times, meet it. A file's rows become such vectors by transposing 4 rows x 4 pieces of 16 bytes:
// in registers for a few rows of x, otherwise into a panel in the level 1 cache that all rows of x
// pass by.
#pragma once

#include <cstdint>
#include <immintrin.h>

#include "kernels/cpu/cpu_kernels.h"

namespace nolens {
namespace {

/// Sixteen outputs are one vector of floats; 6 rows of x then keep 24 sums, 4 weights and x in
/// registers.
constexpr int kBf16TileN = 16;
constexpr int kBf16TileM = 6;
constexpr int kBf16Quads = kBf16TileN / 4;
// A panel is 24 KiB of a level 1 cache of 32 KiB, the rest is for x on its way through. Folding
// costs 3 %.
constexpr std::int64_t kBf16SumBlock = 768;
// Rows of x whose block, 1.5 KiB each, stays in a level 2 cache of 1 MiB while panels pass by.
constexpr std::int64_t kBf16RowBlock = 384;
// Rows of x for which weights are bf16_transposed in registers.
constexpr int kBf16DirectRows = 3;

struct Bf16Panel {
  alignas(64) std::uint16_t values[kBf16SumBlock * kBf16TileN];  ///< [k/8][quad][output 4][8]
};

inline std::int64_t bf16_lesser(std::int64_t a, std::int64_t b) noexcept {
  return a < b ? a : b;
}
/// Four rows' 32 values of k, as lie in the file.
struct Bf16FourRows {
  __m512i row[4];
};

inline __mmask32 bf16_first_words(std::int64_t n) noexcept {
  return static_cast<__mmask32>((std::uint64_t{1} << static_cast<unsigned>(n)) - 1U);
}

/// Rows [n, n + 4) of w, values [k, k + 32); what is beyond `rows` rows or `count` values counts as
/// 0.
inline Bf16FourRows bf16_load_rows(const unsigned char* w, std::int64_t row_bytes,
                                   std::int64_t rows, std::int64_t count) noexcept {
  Bf16FourRows r;
  if (rows >= 4 && count >= 32) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      r.row[i] = _mm512_loadu_si512(w + i * row_bytes);
    }
    return r;
  }
  const __mmask32 mask = bf16_first_words(bf16_lesser(count, 32));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r.row[i] =
        i < rows ? _mm512_maskz_loadu_epi16(mask, w + i * row_bytes) : _mm512_setzero_si512();
  }
  return r;
}

/// Row g of the result: piece g, 8 values, of each of the four rows.
inline Bf16FourRows bf16_transposed(const Bf16FourRows& a) noexcept {
  const __m512i even01 = _mm512_shuffle_i32x4(a.row[0], a.row[1], 0x88);
  const __m512i odd01 = _mm512_shuffle_i32x4(a.row[0], a.row[1], 0xDD);
  const __m512i even23 = _mm512_shuffle_i32x4(a.row[2], a.row[3], 0x88);
  const __m512i odd23 = _mm512_shuffle_i32x4(a.row[2], a.row[3], 0xDD);
  return {{_mm512_shuffle_i32x4(even01, even23, 0x88), _mm512_shuffle_i32x4(odd01, odd23, 0x88),
           _mm512_shuffle_i32x4(even01, even23, 0xDD), _mm512_shuffle_i32x4(odd01, odd23, 0xDD)}};
}

inline __m512i bf16_repeated(const std::uint16_t* x) noexcept {
  return _mm512_broadcast_i32x4(
      _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(x))));
}
inline __m512i bf16_repeated_partial(const std::uint16_t* x, std::int64_t n) noexcept {
  return _mm512_broadcast_i32x4(
      _mm_maskz_loadu_epi16(static_cast<__mmask8>(bf16_first_words(n)), x));
}

inline __m512 bf16_add_pairs(__m512 sum, __m512i x, __m512i w) noexcept {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
}

/// Sums of 16 outputs from four quads' lanes, in the order of the outputs.
inline __m512 bf16_folded(const __m512 (&quads)[kBf16Quads]) noexcept {
  const __m512 first =
      _mm512_add_ps(_mm512_unpacklo_ps(quads[0], quads[1]), _mm512_unpackhi_ps(quads[0], quads[1]));
  const __m512 second =
      _mm512_add_ps(_mm512_unpacklo_ps(quads[2], quads[3]), _mm512_unpackhi_ps(quads[2], quads[3]));
  // Element 4 * i + q is output i of quad q.
  const __m512 sums =
      _mm512_add_ps(_mm512_shuffle_ps(first, second, 0x44), _mm512_shuffle_ps(first, second, 0xEE));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_ps(order, sums);
}

/// One block of K for up to 16 outputs.
struct Bf16Block {
  std::int64_t n;
  std::int64_t outputs;  ///< <= kBf16TileN
  std::int64_t k;
  std::int64_t count;  ///< <= kBf16SumBlock
};

/// Adds a block's sums to y, which holds those of the blocks before it.
inline void bf16_add_block(const LinearArgs<std::uint16_t>& a, const Bf16Block& b, std::int64_t m,
                           __m512 sums) noexcept {
  const auto mask = static_cast<__mmask16>(bf16_first_words(b.outputs));
  float* y = a.y + m * a.y_stride + b.n;
  if (b.k > 0) {
    sums = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sums);
  }
  if (a.bias != nullptr && b.k + b.count == a.k) {
    sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(mask, a.bias + b.n));
  }
  _mm512_mask_storeu_ps(y, mask, sums);
}

template <int kM>
struct Bf16Sums {
  __m512 of[kM][kBf16Quads];

  void clear() noexcept {
#pragma GCC unroll 6
    for (int m = 0; m < kM; ++m) {
#pragma GCC unroll 4
      for (int q = 0; q < kBf16Quads; ++q) {
        of[m][q] = _mm512_setzero_ps();
      }
    }
  }
  void store(const LinearArgs<std::uint16_t>& a, const Bf16Block& b, std::int64_t m) noexcept {
#pragma GCC unroll 6
    for (int i = 0; i < kM; ++i) {
      bf16_add_block(a, b, m + i, bf16_folded(of[i]));
    }
  }
};

inline const unsigned char* bf16_rows_of(const LinearArgs<std::uint16_t>& a, std::int64_t n,
                                         std::int64_t k) noexcept {
  return a.w.data + n * a.w.row_bytes + 2 * k;
}

void bf16_fill_panel(const LinearArgs<std::uint16_t>& a, const Bf16Block& b,
                     Bf16Panel& panel) noexcept {
  for (int q = 0; q < kBf16Quads; ++q) {
    const unsigned char* w = bf16_rows_of(a, b.n + 4 * q, b.k);
    const std::int64_t rows = b.outputs - 4 * q;
    std::uint16_t* out = panel.values + 32 * q;
    for (std::int64_t k = 0; k < b.count; k += 32) {
      const Bf16FourRows pieces =
          bf16_transposed(bf16_load_rows(w + 2 * k, a.w.row_bytes, rows, b.count - k));
#pragma GCC unroll 4
      for (int g = 0; g < 4; ++g) {
        _mm512_store_si512(out + (k + 8 * g) * kBf16TileN, pieces.row[g]);
      }
    }
  }
}

/// Asks the memory for one block of w, a few lines at a time.
class Bf16Prefetch {
 public:
  Bf16Prefetch(const LinearArgs<std::uint16_t>& a, const Bf16Block& b, std::int64_t steps) noexcept
      : row_(bf16_rows_of(a, b.n, b.k)),
        row_bytes_(a.w.row_bytes),
        rows_(b.outputs),
        lines_((2 * b.count + 63) / 64),
        per_step_((lines_ * rows_ + steps - 1) / steps) {}
  void step() noexcept {
    for (std::int64_t i = 0; i < per_step_ && rows_ > 0; ++i) {
      _mm_prefetch(static_cast<const void*>(row_ + 64 * line_), _MM_HINT_T1);
      if (++line_ == lines_) {
        line_ = 0;
        row_ += row_bytes_;
        --rows_;
      }
    }
  }

 private:
  const unsigned char* row_;
  std::int64_t row_bytes_;
  std::int64_t rows_;
  std::int64_t lines_;
  std::int64_t per_step_;
  std::int64_t line_ = 0;
};

/// 8 values of k of kM rows of x and of a panel.
template <int kM, class Load>
[[gnu::always_inline]] inline void bf16_panel_step(const std::uint16_t* panel,
                                                   const std::uint16_t* x, std::int64_t x_stride,
                                                   const Load& load_x,
                                                   Bf16Sums<kM>& sums) noexcept {
  __m512i w[kBf16Quads];
#pragma GCC unroll 4
  for (int q = 0; q < kBf16Quads; ++q) {
    w[q] = _mm512_load_si512(panel + 32 * q);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kM; ++i) {
    const __m512i repeated_x = load_x(x + i * x_stride);
#pragma GCC unroll 4
    for (int q = 0; q < kBf16Quads; ++q) {
      sums.of[i][q] = bf16_add_pairs(sums.of[i][q], repeated_x, w[q]);
    }
  }
}

/// kM rows of x and a panel.
template <int kM>
void bf16_panel_tile(const LinearArgs<std::uint16_t>& a, const Bf16Block& b, const Bf16Panel& panel,
                     std::int64_t m) noexcept {
  const std::uint16_t* x = a.x + m * a.x_stride + b.k;
  Bf16Sums<kM> sums;
  sums.clear();
  std::int64_t k = 0;
  for (; k + 8 <= b.count; k += 8) {
    bf16_panel_step(
        panel.values + k * kBf16TileN, x + k, a.x_stride,
        [](const std::uint16_t* p) noexcept { return bf16_repeated(p); }, sums);
  }
  if (k < b.count) {
    const std::int64_t rest = b.count - k;
    bf16_panel_step(
        panel.values + k * kBf16TileN, x + k, a.x_stride,
        [rest](const std::uint16_t* p) noexcept { return bf16_repeated_partial(p, rest); }, sums);
  }
  sums.store(a, b, m);
}

/// Rows [m, m_end) of x and a panel; meanwhile memory delivers the next panel's weights.
void bf16_panel_rows(const LinearArgs<std::uint16_t>& a, const Bf16Block& b, const Bf16Panel& panel,
                     std::int64_t m, std::int64_t m_end, Bf16Prefetch next) noexcept {
  for (; m + kBf16TileM <= m_end; m += kBf16TileM) {
    next.step();
    bf16_panel_tile<kBf16TileM>(a, b, panel, m);
  }
  if (m < m_end) {
    next.step();
  }
  switch (m_end - m) {
    case 1: return bf16_panel_tile<1>(a, b, panel, m);
    case 2: return bf16_panel_tile<2>(a, b, panel, m);
    case 3: return bf16_panel_tile<3>(a, b, panel, m);
    case 4: return bf16_panel_tile<4>(a, b, panel, m);
    case 5: return bf16_panel_tile<5>(a, b, panel, m);
    default: return;
  }
}

inline Bf16Block bf16_block_at(const LinearArgs<std::uint16_t>& a, std::int64_t n,
                               std::int64_t k) noexcept {
  return {n, bf16_lesser(kBf16TileN, a.n1 - n), k, bf16_lesser(kBf16SumBlock, a.k - k)};
}

/// The block after (n, k) in the order of bf16_by_panels; the last one is its own successor.
inline Bf16Block bf16_block_after(const LinearArgs<std::uint16_t>& a, const Bf16Block& b) noexcept {
  if (b.n + kBf16TileN < a.n1) {
    return bf16_block_at(a, b.n + kBf16TileN, b.k);
  }
  return b.k + b.count < a.k ? bf16_block_at(a, a.n0, b.k + b.count) : b;
}

void bf16_by_panels(const LinearArgs<std::uint16_t>& a) noexcept {
  Bf16Panel panel;
  for (std::int64_t m = 0; m < a.m; m += kBf16RowBlock) {
    const std::int64_t m_end = bf16_lesser(a.m, m + kBf16RowBlock);
    const std::int64_t tiles = (m_end - m + kBf16TileM - 1) / kBf16TileM;
    for (std::int64_t k = 0; k < a.k; k += kBf16SumBlock) {
      for (std::int64_t n = a.n0; n < a.n1; n += kBf16TileN) {
        const Bf16Block b = bf16_block_at(a, n, k);
        bf16_fill_panel(a, b, panel);
        bf16_panel_rows(a, b, panel, m, m_end, Bf16Prefetch(a, bf16_block_after(a, b), tiles));
      }
    }
  }
}

/// All of K for kM rows of x and up to 16 rows of w, which the memory delivers as streams.
template <int kM>
void bf16_direct_tile(const LinearArgs<std::uint16_t>& a, std::int64_t n) noexcept {
  for (std::int64_t k0 = 0; k0 < a.k; k0 += kBf16SumBlock) {
    const Bf16Block b = bf16_block_at(a, n, k0);
    const unsigned char* w = bf16_rows_of(a, n, k0);
    Bf16Sums<kM> sums;
    sums.clear();
    for (std::int64_t k = 0; k < b.count; k += 32) {
      const std::int64_t rest = b.count - k;
      __m512i x[kM][4];
#pragma GCC unroll 3
      for (int m = 0; m < kM; ++m) {
        const std::uint16_t* values = a.x + m * a.x_stride + k0 + k;
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g) {
          const std::int64_t left = rest - 8 * g;
          x[m][g] = left >= 8 ? bf16_repeated(values + 8 * g)
                              : bf16_repeated_partial(values + 8 * g, left < 0 ? 0 : left);
        }
      }
#pragma GCC unroll 4
      for (int q = 0; q < kBf16Quads; ++q) {
        const Bf16FourRows pieces = bf16_transposed(bf16_load_rows(
            w + 4 * q * a.w.row_bytes + 2 * k, a.w.row_bytes, b.outputs - 4 * q, rest));
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g) {
          if (8 * g < rest) {
#pragma GCC unroll 3
            for (int m = 0; m < kM; ++m) {
              sums.of[m][q] = bf16_add_pairs(sums.of[m][q], x[m][g], pieces.row[g]);
            }
          }
        }
      }
    }
    sums.store(a, b, 0);
  }
}

template <int kM>
void bf16_direct_rows(const LinearArgs<std::uint16_t>& a) noexcept {
  for (std::int64_t n = a.n0; n < a.n1; n += kBf16TileN) {
    bf16_direct_tile<kM>(a, n);
  }
}

void bf16_linear(const LinearArgs<std::uint16_t>& a) noexcept {
  static_assert(kBf16DirectRows == 3);
  switch (a.m) {
    case 1: return bf16_direct_rows<1>(a);
    case 2: return bf16_direct_rows<2>(a);
    case 3: return bf16_direct_rows<3>(a);
    default: return bf16_by_panels(a);
  }
}

}  // namespace
}  // namespace nolens
