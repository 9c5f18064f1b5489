// y = x * w^T + bias as dot products along the rows, which is how weights lie in the file.
//
// Order of additions, the same for every shape: k runs in blocks of kSumBlock; in a block lane l of
// one accumulator adds the products k = l, l + W, l + 2W, … with FMA; the lanes are folded
// (reduce_add); the blocks' sums are added one after the other; then the bias.
//
// A Dot says what a step multiplies:
//   X, kStep        element type of x, elements per step
//   kSumBlock       k per block
//   load_x, load_w, multiply_add
//   Panel           the Dot that reads a panel (below); fill_panel(w, row, k0, count, panel)
#pragma once

#include "kernels/cpu/generic/formats.inl"

namespace nolens {
namespace {

// A panel of 4 rows and a tile of rows of x for one block, 4 * 3 KiB + kTileM * 3 KiB, share a
// level 1 cache of 32 KiB; folding 24 accumulators (90 instructions) is 8 % of the block's 24 * 48
// FMAs at W = 16. A multiple of 256 values, so that no format's blocks are cut.
constexpr std::int64_t kSumBlockBytes = 3072;
constexpr int kTileN = 4;
// Rows of x whose block, 3 KiB each, stays in half of a level 2 cache of 1 MiB while panels pass
// by.
constexpr std::int64_t kRowBlock = 168;

/// Float x times weights of a format.
template <class Format>
struct FloatDot {
  using X = float;
  using XVec = Vec;
  using WVec = Vec;
  using PanelElement = float;
  using Panel = FloatDot<F32Format>;
  static constexpr std::int64_t kStep = Vec::kLanes;
  static constexpr std::int64_t kSumBlock = kSumBlockBytes / 4;

  static XVec load_x(const X* x) noexcept { return load(x); }
  static XVec load_x_partial(const X* x, std::int64_t n) noexcept { return load_partial(x, n); }
  static WVec load_w(const unsigned char* row, std::int64_t k) noexcept {
    return Format::load(row, k);
  }
  static WVec load_w_partial(const unsigned char* row, std::int64_t k, std::int64_t n) noexcept {
    return Format::load_partial(row, k, n);
  }
  static Vec multiply_add(Vec sum, XVec x, WVec w) noexcept { return fma(x, w, sum); }

  static void fill_panel(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                         float* panel) noexcept {
    LoadedFormat<Format>::expand(w, row, k0, count, panel);
  }
};

/// Float x times weights that are not read in place: always by panels.
template <class Format>
struct PanelDot {
  using X = float;
  using PanelElement = float;
  using Panel = FloatDot<F32Format>;
  static constexpr std::int64_t kSumBlock = Panel::kSumBlock;
  static void fill_panel(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                         float* panel) noexcept {
    Format::expand(w, row, k0, count, panel);
  }
};

/// sums[m][n] += the products of one block: x rows at x, w rows at w, w's columns from k0.
template <class Dot, int kM, int kN>
inline void dot_tile(const typename Dot::X* x, std::int64_t x_stride, const unsigned char* w,
                     std::int64_t w_stride, std::int64_t k0, std::int64_t count,
                     float (&sums)[kM][kTileN]) noexcept {
  Vec acc[kM][kN];
#pragma GCC unroll 8
  for (int m = 0; m < kM; ++m) {
#pragma GCC unroll 8
    for (int n = 0; n < kN; ++n) {
      acc[m][n] = zero();
    }
  }
  std::int64_t k = 0;
  for (; k + Dot::kStep <= count; k += Dot::kStep) {
    typename Dot::XVec xs[kM];
#pragma GCC unroll 8
    for (int m = 0; m < kM; ++m) {
      xs[m] = Dot::load_x(x + m * x_stride + k);
    }
#pragma GCC unroll 8
    for (int n = 0; n < kN; ++n) {
      const typename Dot::WVec ws = Dot::load_w(w + n * w_stride, k0 + k);
#pragma GCC unroll 8
      for (int m = 0; m < kM; ++m) {
        acc[m][n] = Dot::multiply_add(acc[m][n], xs[m], ws);
      }
    }
  }
  if (k < count) {
#pragma GCC unroll 8
    for (int m = 0; m < kM; ++m) {
      const typename Dot::XVec xs = Dot::load_x_partial(x + m * x_stride + k, count - k);
#pragma GCC unroll 8
      for (int n = 0; n < kN; ++n) {
        const typename Dot::WVec ws = Dot::load_w_partial(w + n * w_stride, k0 + k, count - k);
        acc[m][n] = Dot::multiply_add(acc[m][n], xs, ws);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kM; ++m) {
    if constexpr (kN == kTileN) {
      reduce_add4(acc[m][0], acc[m][1], acc[m][2], acc[m][3], sums[m]);
    } else {
#pragma GCC unroll 8
      for (int n = 0; n < kN; ++n) {
        sums[m][n] = reduce_add(acc[m][n]);
      }
    }
  }
}

inline std::int64_t smaller(std::int64_t a, std::int64_t b) noexcept {
  return a < b ? a : b;
}

/// Adds a block's sums to y, which holds those of the blocks before it.
template <int kM>
inline void add_sums(const float (&sums)[kM][kTileN], int columns, bool first, const float* bias,
                     float* y, std::int64_t y_stride) noexcept {
#pragma GCC unroll 8
  for (int m = 0; m < kM; ++m) {
    float* out = y + m * y_stride;
    for (int n = 0; n < columns; ++n) {
      const float sum = first ? sums[m][n] : out[n] + sums[m][n];
      out[n] = bias == nullptr ? sum : sum + bias[n];
    }
  }
}

/// All of K for kM rows of x and kN rows of w, read in place.
template <class Dot, int kM, int kN>
inline void direct_tile(const LinearArgs<typename Dot::X>& a, std::int64_t m,
                        std::int64_t n) noexcept {
  const typename Dot::X* x = a.x + m * a.x_stride;
  const unsigned char* w = a.w.data + n * a.w.row_bytes;
  float* y = a.y + m * a.y_stride + n;
  for (std::int64_t k = 0; k < a.k; k += Dot::kSumBlock) {
    const bool last = k + Dot::kSumBlock >= a.k;
    float sums[kM][kTileN];
    dot_tile<Dot, kM, kN>(x + k, a.x_stride, w, a.w.row_bytes, k, smaller(Dot::kSumBlock, a.k - k),
                          sums);
    add_sums<kM>(sums, kN, k == 0, last && a.bias != nullptr ? a.bias + n : nullptr, y, a.y_stride);
  }
}

template <class Dot, int kM>
void direct_rows(const LinearArgs<typename Dot::X>& a, std::int64_t m) noexcept {
  std::int64_t n = a.n0;
  for (; n + kTileN <= a.n1; n += kTileN) {
    direct_tile<Dot, kM, kTileN>(a, m, n);
  }
  for (; n < a.n1; ++n) {
    direct_tile<Dot, kM, 1>(a, m, n);
  }
}

/// One block of K of the panel's `columns` rows, for x rows [m, m_end).
template <class Dot>
inline void panel_rows(const LinearArgs<typename Dot::X>& a, const unsigned char* panel,
                       std::int64_t k0, std::int64_t count, std::int64_t n, int columns,
                       std::int64_t m, std::int64_t m_end) noexcept {
  using P = typename Dot::Panel;
  constexpr std::int64_t kRow =
      Dot::kSumBlock * static_cast<std::int64_t>(sizeof(typename Dot::PanelElement));
  const bool first = k0 == 0;
  const float* bias = k0 + count == a.k && a.bias != nullptr ? a.bias + n : nullptr;
  const auto tile = [&]<int kM>() noexcept {
    float sums[kM][kTileN];
    dot_tile<P, kM, kTileN>(a.x + m * a.x_stride + k0, a.x_stride, panel, kRow, 0, count, sums);
    float* y = a.y + m * a.y_stride + n;
    if (columns == kTileN) {
      add_sums<kM>(sums, kTileN, first, bias, y, a.y_stride);
    } else {
      add_sums<kM>(sums, columns, first, bias, y, a.y_stride);
    }
    m += kM;
  };
  while (m + kTileM <= m_end) {
    tile.template operator()<kTileM>();
  }
  switch (m_end - m) {
    case 1: return tile.template operator()<1>();
    case 2: return tile.template operator()<(kTileM > 2 ? 2 : 1)>();
    case 3: return tile.template operator()<(kTileM > 3 ? 3 : 1)>();
    case 4: return tile.template operator()<(kTileM > 4 ? 4 : 1)>();
    case 5: return tile.template operator()<(kTileM > 5 ? 5 : 1)>();
    default: return;
  }
}

/// Weights become floats four rows and one block of K at a time, in a panel that stays in the level
/// 1 cache.
template <class Dot>
struct Panels {
  using Args = LinearArgs<typename Dot::X>;
  alignas(64) typename Dot::PanelElement values[kTileN][Dot::kSumBlock] = {};

  /// The product of outputs [n, n + 4), one block of K from k and rows [m, m_end) of x.
  void multiply(const Args& a, std::int64_t n, std::int64_t k, std::int64_t m,
                std::int64_t m_end) noexcept {
    const std::int64_t count = smaller(Dot::kSumBlock, a.k - k);
    const auto columns = static_cast<int>(smaller(kTileN, a.n1 - n));
    for (int j = 0; j < columns; ++j) {
      Dot::fill_panel(a.w, n + j, k, count, values[j]);
    }
    const auto* bytes = static_cast<const unsigned char*>(static_cast<const void*>(values));
    panel_rows<Dot>(a, bytes, k, count, n, columns, m, m_end);
  }
};

/// Many rows of x: weights are converted once per kRowBlock of them.
template <class Dot>
void linear_by_panels(const LinearArgs<typename Dot::X>& a) noexcept {
  Panels<Dot> panels;
  for (std::int64_t m = 0; m < a.m; m += kRowBlock) {
    for (std::int64_t k = 0; k < a.k; k += Dot::kSumBlock) {
      for (std::int64_t n = a.n0; n < a.n1; n += kTileN) {
        panels.multiply(a, n, k, m, smaller(a.m, m + kRowBlock));
      }
    }
  }
}

/// Weights that are not read in place. A few rows of x follow whole rows of w, which the memory
/// then delivers as streams.
template <class Format>
void linear_of_blocks(const LinearArgs<float>& a) noexcept {
  using Dot = PanelDot<Format>;
  if (a.m > kTileM) {
    linear_by_panels<Dot>(a);
    return;
  }
  Panels<Dot> panels;
  for (std::int64_t n = a.n0; n < a.n1; n += kTileN) {
    for (std::int64_t k = 0; k < a.k; k += Dot::kSumBlock) {
      panels.multiply(a, n, k, 0, a.m);
    }
  }
}

template <class Dot>
void linear(const LinearArgs<typename Dot::X>& a) noexcept {
  if (a.m > kTileM) {
    linear_by_panels<Dot>(a);
    return;
  }
  switch (a.m) {
    case 1: return direct_rows<Dot, 1>(a, 0);
    case 2: return direct_rows<Dot, 2>(a, 0);
    case 3: return direct_rows<Dot, (kTileM >= 3 ? 3 : 1)>(a, 0);
    case 4: return direct_rows<Dot, (kTileM >= 4 ? 4 : 1)>(a, 0);
    case 5: return direct_rows<Dot, (kTileM >= 5 ? 5 : 1)>(a, 0);
    case 6: return direct_rows<Dot, (kTileM >= 6 ? 6 : 1)>(a, 0);
    default: return;
  }
}

}  // namespace
}  // namespace nolens
