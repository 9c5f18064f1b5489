// The register tile of products of SplitRows with panels: kT rows of x times kC vectors of weight
// rows over one group of columns. Integer sums of a block and float sums of the group stay in
// registers. Lanes says what a vector can do:
//   kLanes             rows of weights in a vector of 4-byte sums
//   kTokens, kColumns  of the largest tile
//   kSignedBytes       8-bit codes come signed (else plus 128)
//   Ints, Floats, Bytes and the operations on them
#pragma once

#include "kernels/cpu/generic/panel_expand.inl"

namespace nolens {
namespace {

/// What kT rows of x hold in one group.
struct SplitGroup {
  const std::int8_t* low;           // [kT, 256]
  const std::int8_t* high;          // [kT, 256]
  const std::uint64_t* high_steps;  // [kT]
  const std::int32_t* sums;         // [kT, 256 / block]
  const float* scales;              // [kT]
};

template <PanelFormat kFormat>
inline SplitGroup split_group(const SplitRows& x, std::int64_t group, std::int64_t m) noexcept {
  constexpr std::int64_t kBlock = kTraits<kFormat>.block;
  const std::int64_t row = group * x.rows + m;
  const std::int32_t* sums = kBlock == 16 ? x.sums16 : kBlock == 32 ? x.sums32 : x.sums64;
  return {x.low + row * kGroupColumns, x.high + row * kGroupColumns, x.high_steps + row,
          sums + row * (kGroupColumns / kBlock), x.scales + row};
}

/// The code that stands for 0 in products.
template <class Lanes, PanelFormat kFormat>
inline constexpr std::int32_t kZero =
    Lanes::kSignedBytes&& kTraits<kFormat>.zero == 128 ? 0 : kTraits<kFormat>.zero;

/// A vector of weight rows whose codes and scales were expanded.
template <class Lanes>
struct ExpandedColumn {
  const ExpandedGroup* group;
  std::int64_t lane;  // its first row in the panel

  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    return Lanes::load_codes(group->codes[s] + 4 * lane);
  }
  [[nodiscard]] typename Lanes::Floats scales(std::int64_t b) const noexcept {
    return Lanes::load(&group->scales[b][lane]);
  }
  [[nodiscard]] typename Lanes::Floats minimums(std::int64_t b) const noexcept {
    return Lanes::load(&group->minimums[b][lane]);
  }
};

/// Whether scales are expanded also where codes are not: nested ones, and where the vectors of
/// floats at hand are not those of the products (AVX-512 without VNNI).
template <class Lanes, PanelFormat kFormat>
inline constexpr bool kScalesFirst =
    kTraits<kFormat>.scale == ScaleForm::kNested || Vec::kLanes != Lanes::kLanes;

/// The same from the panel itself, for tiles that use every code once or twice.
template <class Lanes, PanelFormat kFormat>
struct StreamedColumn {
  using Bytes = typename Lanes::Bytes;
  const unsigned char* group;
  GroupOffsets at;
  std::int64_t lane;
  Bytes table;
  float step;
  const ExpandedGroup* expanded;  // scales, if they come first

  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    constexpr std::int64_t kBits = kTraits<kFormat>.code_bits;
    const unsigned char* low = group + 4 * lane;
    if constexpr (kBits == 8) {
      constexpr unsigned char kFlip = Lanes::kSignedBytes ? 0x80 : 0;
      return Lanes::to_codes(load_bytes<Bytes>(low + s * kCodeVectorBytes) ^ kFlip);
    } else {
      const Bytes both = load_bytes<Bytes>(low + s / 2 * kCodeVectorBytes);
      Bytes code = s % 2 == 0 ? both & 15 : both >> 4;
      if constexpr (kBits > 4) {
        code |= high_bits<kFormat, Bytes>(low + at.high + s / 8 * (kBits - 4) * kCodeVectorBytes,
                                          static_cast<int>(s % 8));
      }
      if constexpr (kTraits<kFormat>.codebook) {
        code = Lanes::lookup(table, code);
      }
      return Lanes::to_codes(code);
    }
  }
  [[nodiscard]] typename Lanes::Floats scales(std::int64_t b) const noexcept {
    if constexpr (kScalesFirst<Lanes, kFormat>) {
      return Lanes::load(&expanded->scales[b][lane]);
    } else {
      return block_scales<kFormat>(group, at, b, lane, step, nullptr).v;
    }
  }
  [[nodiscard]] typename Lanes::Floats minimums(std::int64_t b) const noexcept {
    if constexpr (kScalesFirst<Lanes, kFormat>) {
      return Lanes::load(&expanded->minimums[b][lane]);
    } else {
      return block_minimums<kFormat>(group, at, b, lane).v;
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

/// Adds 128 times the products of the high parts of one row of x, in the steps of a block that have
/// any.
template <class Lanes, bool kSmallCodes, class Column, int kC>
[[gnu::always_inline]] inline void add_high_steps(const Column (&columns)[kC],
                                                  const std::int8_t* high, std::int64_t first_step,
                                                  std::uint64_t steps,
                                                  typename Lanes::Ints (&sums)[kC]) noexcept {
  typename Lanes::Ints upper[1][kC];
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    upper[0][c] = Lanes::zero();
  }
  do {
    add_step<Lanes, kSmallCodes>(columns, high, first_step + __builtin_ctzll(steps), upper);
    steps &= steps - 1;
  } while (steps != 0);
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    sums[c] = Lanes::add(sums[c], Lanes::shift_left_7(upper[0][c]));
  }
}

/// Blocks of columns that a tile takes at once: a sum must wait for the product before it, so that
/// few sums would leave the multiplier idle.
template <int kSums>
inline constexpr int kBlocksAtOnce = kSums >= 8   ? 1
                                     : kSums >= 4 ? 2
                                                  : 4;

/// total[t][c] += the blocks [b0, b0 + kB)
template <class Lanes, PanelFormat kFormat, int kB, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_blocks(const SplitGroup& x, std::int64_t b0,
                                              const Column (&w)[kC],
                                              typename Lanes::Floats (&total)[kT][kC]) noexcept {
  using IntSums = typename Lanes::Ints;
  constexpr PanelTraits kT4 = kTraits<kFormat>;
  constexpr bool kSmallCodes = !kT4.codebook && kT4.code_bits < 8;
  constexpr std::int64_t kBlocks = kGroupColumns / kT4.block;
  constexpr std::int64_t kSteps = kT4.block / kStepColumns;
  constexpr std::uint64_t kStepMask = (1ULL << static_cast<unsigned>(kSteps)) - 1;
  IntSums sums[kB][kT][kC];
#pragma GCC unroll 4
  for (int i = 0; i < kB; ++i) {
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      // -zero * sum of x: vectors shift while the multiplier is busy with products.
      IntSums start = Lanes::zero();
      if constexpr (kZero<Lanes, kFormat> != 0) {
        start = Lanes::template minus_multiple<kZero<Lanes, kFormat>>(
            Lanes::set1(x.sums[t * kBlocks + b0 + i]));
      }
#pragma GCC unroll 4
      for (int c = 0; c < kC; ++c) {
        sums[i][t][c] = start;
      }
    }
    // Row by row, though a tile has all steps that any of its rows has: few steps are shared, and
    // what a wrong guess of these branches costs passes while products wait for their turn.
    const std::int64_t first_step = (b0 + i) * kSteps;
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      const std::uint64_t steps =
          (x.high_steps[t] >> static_cast<unsigned>(first_step)) & kStepMask;
      if (steps != 0) {
        add_high_steps<Lanes, kSmallCodes>(w, x.high + t * kGroupColumns, first_step, steps,
                                           sums[i][t]);
      }
    }
  }
#pragma GCC unroll 16
  for (std::int64_t s = 0; s < kSteps; ++s) {
#pragma GCC unroll 4
    for (int i = 0; i < kB; ++i) {
      add_step<Lanes, kSmallCodes>(w, x.low, (b0 + i) * kSteps + s, sums[i]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kB; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      const auto scale = w[c].scales(b0 + i);
#pragma GCC unroll 8
      for (int t = 0; t < kT; ++t) {
        total[t][c] = Lanes::fma(scale, Lanes::to_floats(sums[i][t][c]), total[t][c]);
      }
      if constexpr (kT4.minimum) {
        const auto minimum = w[c].minimums(b0 + i);
#pragma GCC unroll 8
        for (int t = 0; t < kT; ++t) {
          const auto sum = static_cast<float>(x.sums[t * kBlocks + b0 + i]);
          total[t][c] = Lanes::fma(minimum, Lanes::set1_float(sum), total[t][c]);
        }
      }
    }
  }
}

/// y[c][t] = fma(scale of x, sum over the group's blocks, y[c][t]). kWhole: the group has 256
/// columns.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kT, class Column, int kC>
[[gnu::always_inline]] inline void panel_tile(const SplitGroup& x, std::int64_t columns,
                                              const Column (&w)[kC],
                                              float* const (&y)[kC]) noexcept {
  constexpr int kB = kWhole ? kBlocksAtOnce<kT * kC> : 1;
  typename Lanes::Floats total[kT][kC];
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      total[t][c] = Lanes::zero_floats();
    }
  }
  for (std::int64_t b = 0; b < columns / kTraits<kFormat>.block; b += kB) {
    add_blocks<Lanes, kFormat, kB>(x, b, w, total);
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

}  // namespace
}  // namespace nolens
