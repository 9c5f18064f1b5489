// Tiles of panels whose codes are not expanded: for few rows, where weights are a stream from
// memory.
#pragma once

#include "kernels/cpu/generic/panel_tile.inl"

namespace nolens {
namespace {

/// Whether scales are expanded also where codes are not: nested ones, and where the vectors of
/// floats at hand are not those of the products (AVX-512 without VNNI).
template <class Lanes, PanelFormat kFormat>
inline constexpr bool kExpandsScales =
    kTraits<kFormat>.scale == ScaleForm::kNested || Vec::kLanes != Lanes::kLanes;

/// A whole group of a panel whose codes are not expanded; scales are if they must, when the first
/// tile has read the codes.
template <class Lanes, PanelFormat kFormat>
struct StreamedGroup {
  const PanelSource& source;
  const unsigned char* bytes;
  std::int64_t k0;
  typename Lanes::Bytes table;
  typename Lanes::Bytes fine_table;
  float step;
  OuterScales& outer;
  ExpandedGroup& expanded;
  bool has_scales = false;

  void need_scales() noexcept {
    if (kExpandsScales<Lanes, kFormat> && !has_scales) {
      expand_scales<kFormat>(source, bytes, k0, kWholeGroup<kFormat>, step, outer, expanded);
      has_scales = true;
    }
  }
};

/// The same as an ExpandedColumn from the panel itself, for tiles that use every code once or
/// twice. kFine: with the second bytes of its codebook.
template <class Lanes, PanelFormat kFormat, bool kFine>
struct StreamedColumn {
  static constexpr std::int64_t kBits = kTraits<kFormat>.code_bits;
  static constexpr GroupOffsets kAt = kWholeGroup<kFormat>.at;
  using Bytes = typename Lanes::Bytes;
  StreamedGroup<Lanes, kFormat>* group;
  std::int64_t lane;

  /// The lowest 4 bits.
  [[nodiscard]] Bytes low(std::int64_t s) const noexcept {
    const Bytes both = load_bytes<Bytes>(group->bytes + 4 * lane + s / 2 * kCodeVectorBytes);
    return s % 2 == 0 ? both & 15 : both >> 4;
  }
  /// The bits above them, as a number.
  [[nodiscard]] Bytes high(std::int64_t s) const noexcept {
    return high_bits<kFormat, Bytes>(
        group->bytes + 4 * lane + kAt.high + s / 8 * (kBits - 4) * kCodeVectorBytes,
        static_cast<int>(s % 8));
  }
  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    if constexpr (kBits == 8) {
      constexpr unsigned char kFlip = Lanes::kSignedBytes ? 0x80 : 0;
      return Lanes::to_codes(load_bytes<Bytes>(group->bytes + 4 * lane + s * kCodeVectorBytes) ^
                             kFlip);
    } else if constexpr (kTraits<kFormat>.codebook) {
      return Lanes::to_codes(Lanes::lookup(group->table, low(s)));
    } else if constexpr (kBits > 4) {
      return Lanes::to_codes(low(s) | (high(s) << 4));
    } else {
      return Lanes::to_codes(low(s));
    }
  }
  [[nodiscard]] typename Lanes::Floats scales(std::int64_t b) const noexcept {
    if constexpr (kExpandsScales<Lanes, kFormat>) {
      return Lanes::load(&group->expanded.scales[b][lane]);
    } else {
      return block_scales<kFormat>(group->bytes, kAt, b, lane, group->step, nullptr).v;
    }
  }
  [[nodiscard]] typename Lanes::Floats minimums(std::int64_t b) const noexcept {
    if constexpr (kExpandsScales<Lanes, kFormat>) {
      return Lanes::load(&group->expanded.minimums[b][lane]);
    } else {
      return block_minimums<kFormat>(group->bytes, kAt, b, lane).v;
    }
  }
};

/// The products with the second bytes of a codebook.
template <class Lanes, PanelFormat kFormat>
struct FineColumn {
  StreamedGroup<Lanes, kFormat>* group;
  std::int64_t lane;

  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    const StreamedColumn<Lanes, kFormat, true> column{group, lane};
    return Lanes::to_codes(Lanes::lookup(group->fine_table, column.low(s)));
  }
  [[nodiscard]] typename Lanes::Floats scales(std::int64_t b) const noexcept {
    const StreamedColumn<Lanes, kFormat, true> column{group, lane};
    return Lanes::multiply(column.scales(b), Lanes::set1_float(kFineStep));
  }
};

/// Parts of codes of 5 and 6 bits, which lie behind each other.
template <class Lanes, PanelFormat kFormat>
struct LowBits {
  const StreamedColumn<Lanes, kFormat, false>& column;
  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    return Lanes::to_codes(column.low(s));
  }
};
template <class Lanes, PanelFormat kFormat>
struct HighBits {
  const StreamedColumn<Lanes, kFormat, false>& column;
  [[nodiscard]] typename Lanes::Ints codes(std::int64_t s) const noexcept {
    return Lanes::to_codes(column.high(s));
  }
};

/// sums[b] += the products of block b, codes of 5 or 6 bits in two parts: one row only, for which
/// twice the products still take less time than the stream.
template <class Lanes, PanelFormat kFormat, int kBlocks>
[[gnu::always_inline]] inline void add_two_parts(
    const SplitGroup& x, const StreamedColumn<Lanes, kFormat, false>& w,
    typename Lanes::Ints (&sums)[kBlocks][1][1][1]) noexcept {
  const LowBits<Lanes, kFormat> low[1] = {{w}};
  const HighBits<Lanes, kFormat> high[1] = {{w}};
#pragma GCC unroll 16
  for (int b = 0; b < kBlocks; ++b) {
    add_low_parts<Lanes, kFormat>(x, b, low, sums[b]);
  }
#pragma GCC unroll 16
  for (int b = 0; b < kBlocks; ++b) {
    typename Lanes::Ints upper[1][1][1] = {{{Lanes::zero()}}};
    add_low_parts<Lanes, kFormat>(x, b, high, upper);
    sums[b][0][0][0] = Lanes::add(sums[b][0][0][0], Lanes::template shift_left<4>(upper[0][0][0]));
  }
}

/// total[t][c] += a whole group whose bytes come from memory. They are read in the order in which
/// they lie there, all codes and then all scales: a step ahead and back makes the processor lose
/// the stream. (Zen 4, one core that reads 26 GB/s: 17 with the scales of four blocks before their
/// codes, 20 with all scales last but codes of four blocks in turns, 24 as it is.) fine: the same
/// of the second bytes, if there are any.
template <class Lanes, PanelFormat kFormat, bool kFine, int kT, int kC>
[[gnu::always_inline]] inline void add_group_in_order(
    const SplitGroup& x, const StreamedColumn<Lanes, kFormat, kFine> (&w)[kC],
    [[maybe_unused]] const FineColumn<Lanes, kFormat> (&fine)[kC],
    typename Lanes::Floats (&total)[kT][kC],
    [[maybe_unused]] typename Lanes::Floats (&fine_total)[kT][kC]) noexcept {
  constexpr PanelTraits kT4 = kTraits<kFormat>;
  constexpr int kBlocks = static_cast<int>(kGroupColumns / kT4.block);
  constexpr bool kTwoParts = kT4.code_bits > 4 && kT4.code_bits < 8 && kT * kC == 1;
  typename Lanes::Ints sums[kBlocks][1][kT][kC];
  [[maybe_unused]] typename Lanes::Ints fine_sums[kFine ? kBlocks : 1][1][kT][kC];
#pragma GCC unroll 16
  for (int b = 0; b < kBlocks; ++b) {
    start_block<Lanes, kFormat>(x, b, sums[b][0]);
    if constexpr (kFine) {
      constexpr std::int64_t kSteps = kT4.block / kStepColumns;
      start_block<Lanes, kFormat>(x, b, fine_sums[b][0]);
#pragma GCC unroll 16
      for (std::int64_t s = b * kSteps; s < (b + 1) * kSteps; ++s) {
        add_step<Lanes, false>(w, x.low, s, sums[b][0]);
        add_step<Lanes, false>(fine, x.low, s, fine_sums[b][0]);
      }
      add_high_parts<Lanes, kFormat>(x, b, w, sums[b][0]);
      add_high_parts<Lanes, kFormat>(x, b, fine, fine_sums[b][0]);
    } else if constexpr (!kTwoParts) {
      add_low_parts<Lanes, kFormat>(x, b, w, sums[b]);
      add_high_parts<Lanes, kFormat>(x, b, w, sums[b][0]);
    }
  }
  if constexpr (kTwoParts) {
    add_two_parts<Lanes, kFormat>(x, w[0], sums);
#pragma GCC unroll 16
    for (int b = 0; b < kBlocks; ++b) {
      add_high_parts<Lanes, kFormat>(x, b, w, sums[b][0]);
    }
  }
  w[0].group->need_scales();
#pragma GCC unroll 16
  for (int b = 0; b < kBlocks; ++b) {
    add_scaled<Lanes, kFormat>(x, b, w, sums[b][0], total);
    if constexpr (kFine) {
      add_scaled<Lanes, kFormat>(x, b, fine, fine_sums[b][0], fine_total);
    }
  }
}

/// y[c] += scale of x * sum over a whole group's blocks. Vectors narrower than half a panel pass
/// the group several times, block by block: in one go it would be more code than it is worth.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kT, bool kFine, int kC>
[[gnu::always_inline]] inline void panel_tile(const SplitGroup& x, std::int64_t columns,
                                              const StreamedColumn<Lanes, kFormat, kFine> (&w)[kC],
                                              float* const (&y)[kC]) noexcept {
  static_assert(kWhole);
  FineColumn<Lanes, kFormat> fine[kC];
#pragma GCC unroll 4
  for (int c = 0; c < kC; ++c) {
    fine[c] = {w[c].group, w[c].lane};
  }
  typename Lanes::Floats total[kT][kC];
  typename Lanes::Floats fine_total[kT][kC];
  set_zero<Lanes>(total);
  set_zero<Lanes>(fine_total);
  if constexpr (2 * Lanes::kLanes >= kPanelRows) {
    add_group_in_order<Lanes, kFormat>(x, w, fine, total, fine_total);
  } else {
    w[0].group->need_scales();
    constexpr int kB = kBlocksAtOnce<kT * kC>;
    for (std::int64_t b = 0; b < columns / kTraits<kFormat>.block; b += kB) {
      add_blocks<Lanes, kFormat, kB>(x, b, w, total);
      if constexpr (kFine) {
        add_blocks<Lanes, kFormat, kB>(x, b, fine, fine_total);
      }
    }
  }
  add_to_rows<Lanes>(x, total, y);
  if constexpr (kFine) {
    add_to_rows<Lanes>(x, fine_total, y);
  }
}

}  // namespace
}  // namespace nolens
