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

/// Whether codes are below 16 by far, see Lanes::dot.
template <PanelFormat kFormat>
inline constexpr bool kSmallCodes = !kTraits<kFormat>.codebook && kTraits<kFormat>.code_bits < 8;

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

/// sums[t][c] += the 4 products of step s.
template <class Lanes, bool kSmall, class Column, int kT, int kC>
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
      sums[t][c] = Lanes::template dot<kSmall>(sums[t][c], w[c], four);
    }
  }
}

/// Adds 128 times the products of the high parts of one row of x, in the steps of a block that have
/// any.
template <class Lanes, bool kSmall, class Column, int kC>
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
    add_step<Lanes, kSmall>(columns, high, first_step + __builtin_ctzll(steps), upper);
    steps &= steps - 1;
  } while (steps != 0);
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    sums[c] = Lanes::add(sums[c], Lanes::template shift_left<7>(upper[0][c]));
  }
}

/// Blocks of columns that a tile takes at once: a sum must wait for the product before it, so that
/// few sums would leave the multiplier idle.
template <int kSums>
inline constexpr int kBlocksAtOnce = kSums >= 8   ? 1
                                     : kSums >= 4 ? 2
                                                  : 4;

/// What the sums of a block begin with: -zero * sum of x. Vectors shift while the multiplier is
/// busy with products.
template <class Lanes, PanelFormat kFormat, int kT, int kC>
[[gnu::always_inline]] inline void start_block(const SplitGroup& x, std::int64_t b,
                                               typename Lanes::Ints (&sums)[kT][kC]) noexcept {
  constexpr std::int64_t kBlocks = kGroupColumns / kTraits<kFormat>.block;
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
    typename Lanes::Ints start = Lanes::zero();
    if constexpr (kZero<Lanes, kFormat> != 0) {
      start = Lanes::template minus_multiple<kZero<Lanes, kFormat>>(
          Lanes::set1(x.sums[t * kBlocks + b]));
    }
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      sums[t][c] = start;
    }
  }
}

/// The products of high parts in block b. Row by row, though a tile has all steps that any of its
/// rows has: few steps are shared, and what a wrong guess of these branches costs passes while
/// products wait for their turn.
template <class Lanes, PanelFormat kFormat, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_high_parts(const SplitGroup& x, std::int64_t b,
                                                  const Column (&w)[kC],
                                                  typename Lanes::Ints (&sums)[kT][kC]) noexcept {
  constexpr std::int64_t kSteps = kTraits<kFormat>.block / kStepColumns;
  constexpr std::uint64_t kStepMask = (1ULL << static_cast<unsigned>(kSteps)) - 1;
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
    const std::uint64_t steps = (x.high_steps[t] >> static_cast<unsigned>(b * kSteps)) & kStepMask;
    if (steps != 0) {
      add_high_steps<Lanes, kSmallCodes<kFormat>>(w, x.high + t * kGroupColumns, b * kSteps, steps,
                                                  sums[t]);
    }
  }
}

/// sums[i] += the products of low parts in block b0 + i.
template <class Lanes, PanelFormat kFormat, class Column, int kB, int kT, int kC>
[[gnu::always_inline]] inline void add_low_parts(
    const SplitGroup& x, std::int64_t b0, const Column (&w)[kC],
    typename Lanes::Ints (&sums)[kB][kT][kC]) noexcept {
  constexpr std::int64_t kSteps = kTraits<kFormat>.block / kStepColumns;
#pragma GCC unroll 16
  for (std::int64_t s = 0; s < kSteps; ++s) {
#pragma GCC unroll 4
    for (int i = 0; i < kB; ++i) {
      add_step<Lanes, kSmallCodes<kFormat>>(w, x.low, (b0 + i) * kSteps + s, sums[i]);
    }
  }
}

/// total[t][c] += the sums of block b with its scales and minimums.
template <class Lanes, PanelFormat kFormat, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_scaled(const SplitGroup& x, std::int64_t b,
                                              const Column (&w)[kC],
                                              const typename Lanes::Ints (&sums)[kT][kC],
                                              typename Lanes::Floats (&total)[kT][kC]) noexcept {
  constexpr std::int64_t kBlocks = kGroupColumns / kTraits<kFormat>.block;
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    const auto scale = w[c].scales(b);
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      total[t][c] = Lanes::fma(scale, Lanes::to_floats(sums[t][c]), total[t][c]);
    }
    if constexpr (kTraits<kFormat>.minimum) {
      const auto minimum = w[c].minimums(b);
#pragma GCC unroll 8
      for (int t = 0; t < kT; ++t) {
        const auto sum = static_cast<float>(x.sums[t * kBlocks + b]);
        total[t][c] = Lanes::fma(minimum, Lanes::set1_float(sum), total[t][c]);
      }
    }
  }
}

/// total[t][c] += the blocks [b0, b0 + kB)
template <class Lanes, PanelFormat kFormat, int kB, class Column, int kT, int kC>
[[gnu::always_inline]] inline void add_blocks(const SplitGroup& x, std::int64_t b0,
                                              const Column (&w)[kC],
                                              typename Lanes::Floats (&total)[kT][kC]) noexcept {
  typename Lanes::Ints sums[kB][kT][kC];
#pragma GCC unroll 4
  for (int i = 0; i < kB; ++i) {
    start_block<Lanes, kFormat>(x, b0 + i, sums[i]);
    add_high_parts<Lanes, kFormat>(x, b0 + i, w, sums[i]);
  }
  add_low_parts<Lanes, kFormat>(x, b0, w, sums);
#pragma GCC unroll 4
  for (int i = 0; i < kB; ++i) {
    add_scaled<Lanes, kFormat>(x, b0 + i, w, sums[i], total);
  }
}

template <class Lanes, int kT, int kC>
[[gnu::always_inline]] inline void set_zero(typename Lanes::Floats (&total)[kT][kC]) noexcept {
#pragma GCC unroll 8
  for (int t = 0; t < kT; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kC; ++c) {
      total[t][c] = Lanes::zero_floats();
    }
  }
}

/// y[c][t] = fma(scale of x, total[t][c], y[c][t])
template <class Lanes, int kT, int kC>
[[gnu::always_inline]] inline void add_to_rows(const SplitGroup& x,
                                               const typename Lanes::Floats (&total)[kT][kC],
                                               float* const (&y)[kC]) noexcept {
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      float* out = y[c] + t * kPanelRows;
      Lanes::store(out, Lanes::fma(Lanes::set1_float(x.scales[t]), total[t][c], Lanes::load(out)));
    }
  }
}

/// y[c] += scale of x * sum over the group's blocks. kWhole: the group has 256 columns.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kT, int kC>
[[gnu::always_inline]] inline void panel_tile(const SplitGroup& x, std::int64_t columns,
                                              const ExpandedColumn<Lanes> (&w)[kC],
                                              float* const (&y)[kC]) noexcept {
  constexpr int kB = kWhole ? kBlocksAtOnce<kT * kC> : 1;
  typename Lanes::Floats total[kT][kC];
  set_zero<Lanes>(total);
  for (std::int64_t b = 0; b < columns / kTraits<kFormat>.block; b += kB) {
    add_blocks<Lanes, kFormat, kB>(x, b, w, total);
  }
  add_to_rows<Lanes>(x, total, y);
}

}  // namespace
}  // namespace nolens
