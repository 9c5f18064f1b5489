// Panels: quantised weights in the order in which products read them.
//
// A matrix [rows, cols] is cut into panels of 16 rows, a panel into groups of 256 columns (the last
// may be shorter, a multiple of 32). Panels follow each other, groups follow each other in a panel, so
// a panel is one stream. Rows beyond the matrix are there as codes and scales that give zero.
//
// A group of C columns, each part directly after the one before, the whole padded to 64 bytes:
//   codes     64 bytes hold 4 consecutive columns ("a step") of 16 rows: byte 4 * row + column % 4.
//             8-bit codes: a vector a step. Others: a vector two steps, the first in the low halves.
//   high      bits above the fourth. 5-bit codes: a vector 8 steps, step s in bit s. 6-bit codes: a
//             vector 4 steps, step s in bits 2s and 2s + 1.
//   scales    for each block of columns, 16 scales, one a row
//   minimums  the same, where the format has them
//   super     16 halves that multiply the scales; 16 more that multiply the minimums if there are any
//
// Value of a code: scale * (code - zero), or scale * codebook[code]; plus the minimum of Q4_1 and Q5_1,
// less that of Q4_K and Q5_K.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/dtype.h"

namespace nolens {

inline constexpr std::int64_t kPanelRows = 16;
inline constexpr std::int64_t kGroupColumns = 256;
inline constexpr std::int64_t kStepColumns = 4;
inline constexpr std::int64_t kCodeVectorBytes = 64;

/// Formats that have panels. kCodes is NF4 and FP4 with float scales, kNestedCodes with 8-bit ones.
enum class PanelFormat : std::uint8_t {
  kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K, kIQ4_NL, kCodes, kNestedCodes,
};
inline constexpr std::size_t kPanelFormatCount = 11;

enum class ScaleForm : std::uint8_t {
  kHalf,        ///< IEEE half
  kFloat,       ///< float32
  kByte,        ///< 0 … 255, times a half of the group
  kSignedByte,  ///< -128 … 127, times a half of the group
  kNested,      ///< index into a codebook of 256, times a float of 256 blocks, plus an offset
};

struct PanelTraits {
  std::int64_t code_bits;
  std::int64_t block;  ///< columns that share a scale
  ScaleForm scale;
  bool minimum;
  std::int32_t zero;  ///< the code that stands for 0; of codebook formats, see kCodebookZero
  bool codebook;
};

/// Codebook entries become bytes for integer products: round(entry / codebook step) + 128.
inline constexpr std::int32_t kCodebookZero = 128;
/// Of what that leaves, a second byte: a power of two, so that scales times it are exact.
inline constexpr float kFineStep = 1.0F / 256.0F;

/// Indexed by PanelFormat. Codes of Q8_0 are its int8 values plus 128.
inline constexpr std::array<PanelTraits, kPanelFormatCount> kPanelTraits = {{
    {8, 32, ScaleForm::kHalf, false, 128, false},
    {4, 32, ScaleForm::kHalf, false, 8, false},
    {4, 32, ScaleForm::kHalf, true, 0, false},
    {5, 32, ScaleForm::kHalf, false, 16, false},
    {5, 32, ScaleForm::kHalf, true, 0, false},
    {4, 32, ScaleForm::kByte, true, 0, false},
    {5, 32, ScaleForm::kByte, true, 0, false},
    {6, 16, ScaleForm::kSignedByte, false, 32, false},
    {4, 32, ScaleForm::kHalf, false, kCodebookZero, true},
    {4, 64, ScaleForm::kFloat, false, kCodebookZero, true},
    {4, 64, ScaleForm::kNested, false, kCodebookZero, true},
}};

[[nodiscard]] constexpr const PanelTraits& traits(PanelFormat format) noexcept {
  return kPanelTraits[static_cast<std::size_t>(format)];
}

/// Nothing for formats without panels.
[[nodiscard]] constexpr std::optional<PanelFormat> panel_format(DType dtype, bool nested) noexcept {
  switch (dtype) {
    case DType::kQ8_0: return PanelFormat::kQ8_0;
    case DType::kQ4_0: return PanelFormat::kQ4_0;
    case DType::kQ4_1: return PanelFormat::kQ4_1;
    case DType::kQ5_0: return PanelFormat::kQ5_0;
    case DType::kQ5_1: return PanelFormat::kQ5_1;
    case DType::kQ4_K: return PanelFormat::kQ4_K;
    case DType::kQ5_K: return PanelFormat::kQ5_K;
    case DType::kQ6_K: return PanelFormat::kQ6_K;
    case DType::kIQ4_NL: return PanelFormat::kIQ4_NL;
    case DType::kNf4:
    case DType::kFp4: return nested ? PanelFormat::kNestedCodes : PanelFormat::kCodes;
    default: return std::nullopt;
  }
}

/// Bytes of one scale.
[[nodiscard]] constexpr std::int64_t scale_bytes(ScaleForm form) noexcept {
  switch (form) {
    case ScaleForm::kHalf: return 2;
    case ScaleForm::kFloat: return 4;
    default: return 1;
  }
}

[[nodiscard]] constexpr bool has_super_scale(ScaleForm form) noexcept {
  return form == ScaleForm::kByte || form == ScaleForm::kSignedByte;
}

/// Where the parts of a group of `columns` columns begin, in bytes from its first.
struct GroupOffsets {
  std::int64_t high;
  std::int64_t scales;
  std::int64_t minimums;
  std::int64_t super;
  std::int64_t bytes;  ///< of the whole group, a multiple of 64
};

[[nodiscard]] constexpr GroupOffsets group_offsets(const PanelTraits& t, std::int64_t columns) noexcept {
  const std::int64_t low_bits = t.code_bits == 8 ? 8 : 4;
  const std::int64_t scales = columns / t.block * kPanelRows * scale_bytes(t.scale);
  GroupOffsets o{};
  o.high = columns * kPanelRows * low_bits / 8;
  o.scales = o.high + columns * kPanelRows * (t.code_bits - low_bits) / 8;
  o.minimums = o.scales + scales;
  o.super = o.minimums + (t.minimum ? scales : 0);
  const std::int64_t halves = has_super_scale(t.scale) ? (t.minimum ? 2 : 1) : 0;
  o.bytes = (o.super + halves * kPanelRows * 2 + kCodeVectorBytes - 1) / kCodeVectorBytes * kCodeVectorBytes;
  return o;
}

/// Whether rows of `columns` values can be cut into panels of the format.
[[nodiscard]] constexpr bool fits_panels(PanelFormat format, std::int64_t columns) noexcept {
  const std::int64_t unit = traits(format).block > 32 ? traits(format).block : 32;
  return columns > 0 && columns % unit == 0;
}

/// Bytes of one panel of rows of `columns` values.
[[nodiscard]] constexpr std::int64_t panel_bytes(PanelFormat format, std::int64_t columns) noexcept {
  const PanelTraits& t = traits(format);
  const std::int64_t whole = columns / kGroupColumns * group_offsets(t, kGroupColumns).bytes;
  const std::int64_t rest = columns % kGroupColumns;
  return whole + (rest == 0 ? 0 : group_offsets(t, rest).bytes);
}

/// Bytes of a matrix.
[[nodiscard]] constexpr std::int64_t panels_bytes(PanelFormat format, std::int64_t rows,
                                                  std::int64_t columns) noexcept {
  return (rows + kPanelRows - 1) / kPanelRows * panel_bytes(format, columns);
}

}  // namespace nolens
