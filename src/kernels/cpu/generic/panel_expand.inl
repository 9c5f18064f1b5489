// One group of a panel as bytes and floats, ready for products. Include after a panel_lanes_*.h.
#pragma once

#include "kernels/cpu/generic/code_formats.inl"
#include "kernels/cpu/generic/formats.inl"

namespace nolens {
namespace {

/// 256 columns of 16 rows. Codes are unsigned with `zero` standing for 0, or, where
/// Lanes::kSignedBytes, 8-bit ones are signed.
struct ExpandedGroup {
  alignas(64) unsigned char codes[64][64];  ///< [step][4 * row + column of the step]
  alignas(64) float scales[16][16];         ///< [block][row]
  alignas(64) float minimums[16][16];       ///< what to add to scale * code
};

/// Which panel, and what is known of it beside its bytes.
struct PanelSource {
  const unsigned char* data;
  const BlockScales* scales;
  std::int64_t first_row;
  std::int64_t k;
};

template <class Bytes>
inline Bytes load_bytes(const unsigned char* p) noexcept {
  Bytes bytes;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  return bytes;
}
template <class Bytes>
inline void store_bytes(unsigned char* p, Bytes bytes) noexcept {
  __builtin_memcpy(p, &bytes, sizeof(bytes));
}

template <PanelFormat kFormat>
inline constexpr PanelTraits kTraits = kPanelTraits[static_cast<std::size_t>(kFormat)];

inline constexpr unsigned char kIq4Bytes[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                129, 141, 153, 166, 181, 197, 217, 241};

/// Whether the codebook is one of floats, which bytes only come near to.
template <PanelFormat kFormat>
inline constexpr bool kHasFineCodebook =
    kFormat == PanelFormat::kCodes || kFormat == PanelFormat::kNestedCodes;

template <PanelFormat kFormat>
inline const unsigned char* code_bytes(const PanelSource& source) noexcept {
  return kFormat == PanelFormat::kIQ4_NL ? kIq4Bytes : source.scales->code_bytes;
}

/// The bits above the fourth, as a number, of step `s` of 8, from the vectors of its 32 columns.
template <PanelFormat kFormat, class Bytes>
inline Bytes high_bits(const unsigned char* high, int s) noexcept {
  if constexpr (kTraits<kFormat>.code_bits == 5) {
    return (load_bytes<Bytes>(high) >> s) & 1;
  } else {
    return (load_bytes<Bytes>(high + s / 4 * kCodeVectorBytes) >> (s % 4 * 2)) & 3;
  }
}

/// Columns of a group, and the parts of its bytes.
struct GroupShape {
  std::int64_t columns;
  GroupOffsets at;
};

/// A constant to the compiler, which matters: products with it have no loops of unknown length.
template <PanelFormat kFormat>
inline constexpr GroupShape kWholeGroup = {kGroupColumns,
                                           group_offsets(kTraits<kFormat>, kGroupColumns)};

/// The group of rows of k values that begins at column k0; the last may be shorter.
template <PanelFormat kFormat>
inline GroupShape group_shape(std::int64_t k, std::int64_t k0) noexcept {
  if (k - k0 >= kGroupColumns) {
    return kWholeGroup<kFormat>;
  }
  constexpr std::int64_t kUnit = kTraits<kFormat>.block > 32 ? 64 : 32;
  constexpr GroupOffsets kOfUnit = group_offsets(kTraits<kFormat>, kUnit);
  constexpr std::int64_t kHalves =
      has_super_scale(kTraits<kFormat>.scale) ? (kTraits<kFormat>.minimum ? 2 : 1) : 0;
  const std::int64_t units = (k - k0) / kUnit;
  GroupShape shape{k - k0,
                   {kOfUnit.high * units, kOfUnit.scales * units, kOfUnit.minimums * units,
                    kOfUnit.super * units, 0}};
  shape.at.bytes = (shape.at.super + kHalves * kPanelRows * 2 + kCodeVectorBytes - 1) /
                   kCodeVectorBytes * kCodeVectorBytes;
  return shape;
}

/// Bytes of a panel of rows of k values.
template <PanelFormat kFormat>
inline std::int64_t bytes_of_panel(std::int64_t k) noexcept {
  constexpr std::int64_t kWhole = group_offsets(kTraits<kFormat>, kGroupColumns).bytes;
  const std::int64_t whole = k / kGroupColumns;
  return whole * kWhole +
         (k % kGroupColumns == 0 ? 0 : group_shape<kFormat>(k, whole * kGroupColumns).at.bytes);
}

template <class Lanes>
inline typename Lanes::Bytes table_of(const unsigned char* codes) noexcept {
  unsigned char bytes[16];
  for (int i = 0; i < 16; ++i) {
    bytes[i] = codes[i] ^ (Lanes::kSignedBytes ? 0x80 : 0);
  }
  return Lanes::load_table(bytes);
}

/// The codebook as bytes in a vector; not used for other formats.
template <class Lanes, PanelFormat kFormat>
inline typename Lanes::Bytes code_table(const PanelSource& source) noexcept {
  if constexpr (kTraits<kFormat>.codebook) {
    return table_of<Lanes>(code_bytes<kFormat>(source));
  } else {
    return typename Lanes::Bytes{};
  }
}

/// The second bytes of a codebook of floats; not used for other formats.
template <class Lanes, PanelFormat kFormat>
inline typename Lanes::Bytes fine_table(const PanelSource& source) noexcept {
  if constexpr (kHasFineCodebook<kFormat>) {
    return table_of<Lanes>(source.scales->fine_bytes);
  } else {
    return typename Lanes::Bytes{};
  }
}

template <class Lanes, PanelFormat kFormat>
[[gnu::always_inline]] inline void expand_codes(const unsigned char* group, const GroupShape& shape,
                                                [[maybe_unused]] const typename Lanes::Bytes& table,
                                                ExpandedGroup& out) noexcept {
  using Bytes = typename Lanes::Bytes;
  constexpr PanelTraits kT = kTraits<kFormat>;
  constexpr int kPart = static_cast<int>(sizeof(Bytes));
  constexpr unsigned char kFlip = Lanes::kSignedBytes ? 0x80 : 0;
  for (std::int64_t part = 0; part < kCodeVectorBytes; part += kPart) {
    if constexpr (kT.code_bits == 8) {
      for (std::int64_t s = 0; s < shape.columns / 4; ++s) {
        store_bytes(out.codes[s] + part,
                    load_bytes<Bytes>(group + s * kCodeVectorBytes + part) ^ kFlip);
      }
    } else {
      for (std::int64_t block = 0; block < shape.columns / 32; ++block) {
        const unsigned char* low = group + block * 4 * kCodeVectorBytes + part;
        [[maybe_unused]] const unsigned char* high =
            group + shape.at.high + block * (kT.code_bits - 4) * kCodeVectorBytes + part;
#pragma GCC unroll 8
        for (int s = 0; s < 8; ++s) {
          const Bytes both = load_bytes<Bytes>(low + s / 2 * kCodeVectorBytes);
          Bytes code = s % 2 == 0 ? both & 15 : both >> 4;
          if constexpr (kT.code_bits > 4) {
            code |= high_bits<kFormat, Bytes>(high, s) << 4;
          }
          if constexpr (kT.codebook) {
            code = Lanes::lookup(table, code);
          }
          store_bytes(out.codes[block * 8 + s] + part, code);
        }
      }
    }
  }
}

/// The outer scales of a panel's 16 rows for blocks [begin, end) of them: nested scales share one
/// over many blocks, so that groups that follow each other mostly find theirs here.
struct OuterScales {
  alignas(64) float values[16];
  std::int64_t begin = 0;
  std::int64_t end = 0;

  void need(const PanelSource& source, std::int64_t block) noexcept {
    if (block >= begin && block < end) {
      return;
    }
    const BlockScales& s = *source.scales;
    // A power of two, formats/bitsandbytes.cpp; divisions would take longer than a group's
    // products.
    const auto shift =
        static_cast<unsigned>(__builtin_ctzll(static_cast<std::uint64_t>(s.nested_block_size)));
    const std::int64_t last = s.rows - 1;
    std::int64_t left = s.nested_block_size;
    for (int r = 0; r < 16; ++r) {
      const std::int64_t row = source.first_row + r < last ? source.first_row + r : last;
      const std::int64_t index = row * (source.k / 64) + block;
      values[r] = float_at(s.nested_absmax + 4 * (index >> shift));
      const std::int64_t of_row = s.nested_block_size - (index & (s.nested_block_size - 1));
      left = of_row < left ? of_row : left;
    }
    begin = block;
    end = block + left;
  }
};

/// 8-bit scales: codebook entry times outer scale plus offset, rounded after each, as bitsandbytes
/// does.
inline void expand_nested_scales(const PanelSource& source, const unsigned char* codes,
                                 std::int64_t k0, std::int64_t blocks, OuterScales& outer,
                                 float (*scales)[16]) noexcept {
  const BlockScales& s = *source.scales;
  for (std::int64_t b = 0; b < blocks; ++b) {
    outer.need(source, k0 / 64 + b);
    for (std::int64_t r = 0; r < kPanelRows; r += Vec::kLanes) {
      const Vec inner = load_entries(s.nested_codebook, codes + b * kPanelRows + r);
      store(&scales[b][r], add(mul(inner, load(&outer.values[r])), set1(s.nested_offset)));
    }
  }
}

/// The scales of a vector of rows from `row` on in a block. Of codebook formats they are multiplied
/// by `step`; nested ones are in `nested`, see expand_nested_scales.
template <PanelFormat kFormat>
[[gnu::always_inline]] inline Vec block_scales(
    const unsigned char* group, const GroupOffsets& at, std::int64_t block, std::int64_t row,
    [[maybe_unused]] float step, [[maybe_unused]] const float (*nested)[16]) noexcept {
  constexpr ScaleForm kForm = kTraits<kFormat>.scale;
  const std::int64_t i = block * kPanelRows + row;
  if constexpr (kForm == ScaleForm::kHalf) {
    return load_f16(group + at.scales + 2 * i);
  } else if constexpr (kForm == ScaleForm::kFloat) {
    return mul(load_f32(group + at.scales + 4 * i), set1(step));
  } else if constexpr (kForm == ScaleForm::kNested) {
    return mul(load(&nested[block][row]), set1(step));
  } else {
    return mul(load_f16(group + at.super + 2 * row), load_i8(group + at.scales + i));
  }
}

/// What to add to scale * code in a block, of a vector of rows from `row` on.
template <PanelFormat kFormat>
[[gnu::always_inline]] inline Vec block_minimums(const unsigned char* group, const GroupOffsets& at,
                                                 std::int64_t block, std::int64_t row) noexcept {
  const std::int64_t i = block * kPanelRows + row;
  if constexpr (kTraits<kFormat>.scale == ScaleForm::kHalf) {
    return load_f16(group + at.minimums + 2 * i);
  } else {
    const Vec minimum =
        mul(load_f16(group + at.super + 2 * (kPanelRows + row)), load_i8(group + at.minimums + i));
    return sub(zero(), minimum);
  }
}

/// Scales and minimums of a group whose first column is k0; `step` is that of block_scales, `outer`
/// that of the panel.
template <PanelFormat kFormat>
[[gnu::always_inline]] inline void expand_scales(const PanelSource& source,
                                                 const unsigned char* group, std::int64_t k0,
                                                 const GroupShape& shape, float step,
                                                 [[maybe_unused]] OuterScales& outer,
                                                 ExpandedGroup& out) noexcept {
  constexpr PanelTraits kT = kTraits<kFormat>;
  const std::int64_t blocks = shape.columns / kT.block;
  if constexpr (kT.scale == ScaleForm::kNested) {
    expand_nested_scales(source, group + shape.at.scales, k0, blocks, outer, out.scales);
  }
  for (std::int64_t b = 0; b < blocks; ++b) {
    for (std::int64_t r = 0; r < kPanelRows; r += Vec::kLanes) {
      store(&out.scales[b][r], block_scales<kFormat>(group, shape.at, b, r, step, out.scales));
      if constexpr (kT.minimum) {
        store(&out.minimums[b][r], block_minimums<kFormat>(group, shape.at, b, r));
      }
    }
  }
}

/// What scales of a codebook format are multiplied by because its entries became bytes.
template <PanelFormat kFormat>
inline float code_step(const PanelSource& source) noexcept {
  constexpr ScaleForm kForm = kTraits<kFormat>.scale;
  return kForm == ScaleForm::kFloat || kForm == ScaleForm::kNested ? source.scales->code_step
                                                                   : 1.0F;
}

}  // namespace
}  // namespace nolens
