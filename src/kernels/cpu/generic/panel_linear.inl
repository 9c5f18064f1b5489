// Integers with low and high parts (SplitRows) times panels.
//
// A pair of panels is expanded group by group into a buffer in the level 1 cache (12 KiB), which all
// rows of x then pass: at 64 rows and more the expansion is a few per cent. A single row takes the codes
// from the panels as they stream by. A tile is kTokens rows of x
// times kColumns vectors of weight rows; its integer sums of one block and its float sums stay in
// registers. Lanes says what a vector can do:
//   kLanes             rows of weights in a vector of 4-byte sums
//   kTokens, kColumns  of a tile
//   kSignedBytes       8-bit codes come signed (else plus 128)
//   Ints, Floats, Bytes and the operations on them
#pragma once

#include "kernels/cpu/generic/panel_expand.inl"
#include "kernels/cpu/generic/quantize_split.inl"

namespace nolens {
namespace {

/// What kT rows of x hold in one group.
struct SplitGroup {
  const std::int8_t* low;           // [kT, 256]
  const std::int8_t* high;          // [kT, 256]
  const std::uint64_t* high_steps;  // [kT]
  const std::int32_t* sums;         // [kT, 32]
  const float* scales;              // [kT]
};

inline SplitGroup split_group(const SplitRows& x, std::int64_t group, std::int64_t m) noexcept {
  const std::int64_t row = group * x.rows + m;
  return {x.low + row * kGroupColumns, x.high + row * kGroupColumns, x.high_steps + row,
          x.sums + row * kSplitSums, x.scales + row};
}

/// Where the sums over blocks of one row of x and group begin.
template <PanelFormat kFormat>
inline constexpr std::int64_t kFirstSum = kTraits<kFormat>.block == 16   ? 0
                                          : kTraits<kFormat>.block == 32 ? kSplitSumsOf32
                                                                         : kSplitSumsOf64;

/// The code that stands for 0 in an ExpandedGroup.
template <class Lanes, PanelFormat kFormat>
inline constexpr std::int32_t kZero =
    Lanes::kSignedBytes && kTraits<kFormat>.zero == 128 ? 0 : kTraits<kFormat>.zero;

/// Codes of a vector of weight rows, from a buffer.
template <class Lanes>
struct ExpandedColumn {
  const ExpandedGroup* group;
  std::int64_t lane;  // its first row in the panel

  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    return Lanes::load_codes(group->codes[s] + 4 * lane);
  }
};

/// The same from the panel itself, for tiles that use every code once.
template <class Lanes, PanelFormat kFormat>
struct StreamedColumn {
  using Bytes = typename Lanes::Bytes;
  const ExpandedGroup* group;  // scales only
  std::int64_t lane;
  const unsigned char* low;
  const unsigned char* high;
  Bytes table;

  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    constexpr std::int64_t kBits = kTraits<kFormat>.code_bits;
    if constexpr (kBits == 8) {
      constexpr unsigned char kFlip = Lanes::kSignedBytes ? 0x80 : 0;
      return Lanes::to_codes(load_bytes<Bytes>(low + s * kCodeVectorBytes) ^ kFlip);
    } else {
      const Bytes both = load_bytes<Bytes>(low + s / 2 * kCodeVectorBytes);
      Bytes code = s % 2 == 0 ? both & 15 : both >> 4;
      if constexpr (kBits > 4) {
        code |= high_bits<kFormat, Bytes>(high + s / 8 * (kBits - 4) * kCodeVectorBytes,
                                          static_cast<int>(s % 8));
      }
      if constexpr (kTraits<kFormat>.codebook) {
        code = Lanes::lookup(table, code);
      }
      return Lanes::to_codes(code);
    }
  }
};

/// sums[t][c] += the 4 products of step s.
template <class Lanes, bool kSmallCodes, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_step(const Column (&columns)[kC], const std::int8_t* x,
                                            std::int64_t s,
                                            typename Lanes::Ints (&sums)[kT][kC]) noexcept {
  typename Lanes::Ints w[kC];
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    w[c] = columns[c].codes(s);
  }
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
    const typename Lanes::Ints four = Lanes::repeat4(x + t * kGroupColumns + s * kStepColumns);
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      sums[t][c] = Lanes::template dot<kSmallCodes>(sums[t][c], w[c], four);
    }
  }
}

/// Adds 128 times the products of the high parts in the steps of a block that have any.
template <class Lanes, bool kSmallCodes, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_high_steps(const Column (&columns)[kC],
                                                  const std::int8_t* high, std::int64_t first_step,
                                                  std::uint64_t steps,
                                                  typename Lanes::Ints (&sums)[kT][kC]) noexcept {
  typename Lanes::Ints upper[kT][kC];
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      upper[t][c] = Lanes::zero();
    }
  }
  do {
    add_step<Lanes, kSmallCodes>(columns, high, first_step + __builtin_ctzll(steps), upper);
    steps &= steps - 1;
  } while (steps != 0);
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      sums[t][c] = Lanes::add(sums[t][c], Lanes::shift_left_7(upper[t][c]));
    }
  }
}

/// y[t][c] = fma(scale of x, sum over the group's blocks, y[t][c])
template <class Lanes, PanelFormat kFormat, int kT, class Column, int kC>
inline void panel_tile(const SplitGroup& x, std::int64_t columns, const Column (&w)[kC],
                       float* const (&y)[kC]) noexcept {
  using IntSums = typename Lanes::Ints;
  using FloatSums = typename Lanes::Floats;
  constexpr PanelTraits kT4 = kTraits<kFormat>;
  constexpr bool kSmallCodes = !kT4.codebook && kT4.code_bits < 8;
  constexpr std::int64_t kSteps = kT4.block / kStepColumns;
  constexpr std::uint64_t kStepMask = (1ULL << static_cast<unsigned>(kSteps)) - 1;
  std::uint64_t high_steps = 0;
  FloatSums total[kT][kC];
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
    high_steps |= x.high_steps[t];
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      total[t][c] = Lanes::zero_floats();
    }
  }
  for (std::int64_t b = 0; b < columns / kT4.block; ++b) {
    IntSums sums[kT][kC];
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      // -zero * sum of x: vectors shift while the multiplier is busy with products.
      IntSums start = Lanes::zero();
      if constexpr (kZero<Lanes, kFormat> != 0) {
        start = Lanes::template minus_multiple<kZero<Lanes, kFormat>>(
            Lanes::set1(x.sums[t * kSplitSums + kFirstSum<kFormat> + b]));
      }
#pragma GCC unroll 4
      for (int c = 0; c < kC; ++c) {
        sums[t][c] = start;
      }
    }
    const std::uint64_t steps = (high_steps >> static_cast<unsigned>(b * kSteps)) & kStepMask;
    if (steps != 0) {
      add_high_steps<Lanes, kSmallCodes>(w, x.high, b * kSteps, steps, sums);
    }
#pragma GCC unroll 16
    for (std::int64_t s = 0; s < kSteps; ++s) {
      add_step<Lanes, kSmallCodes>(w, x.low, b * kSteps + s, sums);
    }
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      const FloatSums scale = Lanes::load(&w[c].group->scales[b][w[c].lane]);
#pragma GCC unroll 8
      for (int t = 0; t < kT; ++t) {
        total[t][c] = Lanes::fma(scale, Lanes::to_floats(sums[t][c]), total[t][c]);
      }
      if constexpr (kT4.minimum) {
        const FloatSums minimum = Lanes::load(&w[c].group->minimums[b][w[c].lane]);
#pragma GCC unroll 8
        for (int t = 0; t < kT; ++t) {
          const auto sum = static_cast<float>(x.sums[t * kSplitSums + kFirstSum<kFormat> + b]);
          total[t][c] = Lanes::fma(minimum, Lanes::set1_float(sum), total[t][c]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      float* out = y[c] + t * kPanelRows;
      Lanes::store(out, Lanes::fma(Lanes::set1_float(x.scales[t]), total[t][c], Lanes::load(out)));
    }
  }
}

/// How a pair of panels falls into tiles.
template <class Lanes, int kPanels>
struct PairShape {
  static constexpr int kVectors = kPanels * static_cast<int>(kPanelRows) / Lanes::kLanes;
  static constexpr int kColumns = Lanes::kColumns < kVectors ? Lanes::kColumns : kVectors;
  static constexpr int kPerPanel = static_cast<int>(kPanelRows) / Lanes::kLanes;
};

/// One group of kPanels panels for rows [m, m + kT) of x; column(v) is vector v of weight rows.
template <class Lanes, PanelFormat kFormat, int kPanels, int kT, class MakeColumn>
inline void panel_rows_of(const PanelPairArgs& a, std::int64_t group, std::int64_t columns, int v,
                          std::int64_t m, const MakeColumn& column) noexcept {
  using Shape = PairShape<Lanes, kPanels>;
  constexpr int kC = Shape::kColumns;
  decltype(column(0)) w[kC];
  float* y[kC];
  for (int c = 0; c < kC; ++c) {
    w[c] = column(v + c);
    y[c] = a.y[(v + c) / Shape::kPerPanel] + (m - a.m0) * kPanelRows + w[c].lane;
  }
  panel_tile<Lanes, kFormat, kT>(split_group(a.x, group, m), columns, w, y);
}

/// One group of kPanels panels for all rows of x.
template <class Lanes, PanelFormat kFormat, int kPanels>
inline void panel_group(const PanelPairArgs& a, const ExpandedGroup* groups, std::int64_t group,
                        std::int64_t columns) noexcept {
  using Shape = PairShape<Lanes, kPanels>;
  const auto column = [groups](int v) noexcept {
    return ExpandedColumn<Lanes>{groups + v / Shape::kPerPanel,
                                 v % Shape::kPerPanel * Lanes::kLanes};
  };
  for (int v = 0; v < Shape::kVectors; v += Shape::kColumns) {
    std::int64_t m = a.m0;
    for (; m + Lanes::kTokens <= a.m1; m += Lanes::kTokens) {
      panel_rows_of<Lanes, kFormat, kPanels, Lanes::kTokens>(a, group, columns, v, m, column);
    }
    for (; m < a.m1; ++m) {
      panel_rows_of<Lanes, kFormat, kPanels, 1>(a, group, columns, v, m, column);
    }
  }
}

/// The same for one row of x, without the buffer of codes.
template <class Lanes, PanelFormat kFormat, int kPanels>
inline void panel_group_of_row(const PanelPairArgs& a, const ExpandedGroup* groups,
                               const unsigned char* const (&bytes)[kPanels], std::int64_t group,
                               const GroupShape<kFormat>& shape,
                               const typename Lanes::Bytes (&tables)[kPanels]) noexcept {
  using Shape = PairShape<Lanes, kPanels>;
  const auto column = [&](int v) noexcept {
    const int p = v / Shape::kPerPanel;
    const std::int64_t lane = v % Shape::kPerPanel * Lanes::kLanes;
    return StreamedColumn<Lanes, kFormat>{groups + p, lane, bytes[p] + 4 * lane,
                                          bytes[p] + shape.at.high + 4 * lane, tables[p]};
  };
  for (int v = 0; v < Shape::kVectors; v += Shape::kColumns) {
    panel_rows_of<Lanes, kFormat, kPanels, 1>(a, group, shape.columns, v, a.m0, column);
  }
}

inline void prefetch_group(const unsigned char* group, std::int64_t bytes) noexcept {
  for (std::int64_t i = 0; i < bytes; i += kCodeVectorBytes) {
    __builtin_prefetch(group + kPrefetchBytes + i);
  }
}

template <class Lanes, PanelFormat kFormat, int kPanels>
inline void panel_pair_of(const PanelPairArgs& a) noexcept {
  constexpr std::int64_t kGroupBytes = group_offsets(kTraits<kFormat>, kGroupColumns).bytes;
  ExpandedGroup groups[kPanels];
  PanelSource sources[kPanels];
  const unsigned char* next[kPanels];
  typename Lanes::Bytes tables[kPanels];
  for (int p = 0; p < kPanels; ++p) {
    sources[p] = {a.panels[p], a.scales[p], a.first_rows[p], a.k};
    next[p] = a.panels[p];
    tables[p] = code_table<Lanes, kFormat>(sources[p]);
    for (std::int64_t i = 0; i < (a.m1 - a.m0) * kPanelRows; ++i) {
      a.y[p][i] = 0.0F;
    }
  }
  for (std::int64_t k = 0; k < a.k; k += kGroupColumns) {
    const GroupShape<kFormat> shape(a.k, k);
    for (int p = 0; p < kPanels; ++p) {
      prefetch_group(next[p], kGroupBytes);
      expand_scales<kFormat>(sources[p], next[p], k, shape, groups[p]);
      if (a.m1 - a.m0 > 1) {
        expand_codes<Lanes, kFormat>(next[p], shape, tables[p], groups[p]);
      }
    }
    if (a.m1 - a.m0 > 1) {
      panel_group<Lanes, kFormat, kPanels>(a, groups, k / kGroupColumns, shape.columns);
    } else {
      panel_group_of_row<Lanes, kFormat, kPanels>(a, groups, next, k / kGroupColumns, shape, tables);
    }
    for (int p = 0; p < kPanels; ++p) {
      next[p] += kGroupBytes;
    }
  }
}

template <class Lanes, PanelFormat kFormat>
void panel_pair(const PanelPairArgs& a) noexcept {
  if (a.panels[1] == nullptr) {
    panel_pair_of<Lanes, kFormat, 1>(a);
  } else {
    panel_pair_of<Lanes, kFormat, 2>(a);
  }
}

}  // namespace
}  // namespace nolens
