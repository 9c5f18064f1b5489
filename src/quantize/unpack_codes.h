// A row of a block format taken apart: one byte a code, scales beside them.
#pragma once

#include <array>
#include <cstdint>

#include "core/matrix.h"
#include "core/panel_layout.h"

namespace nolens {

/// Up to kGroupColumns columns of one row. Halves stay as their bits; scales of one byte likewise.
struct RowGroup {
  std::array<std::uint8_t, kGroupColumns> codes;  ///< Q8_0: int8 values plus 128
  std::array<std::uint16_t, 16> half_scales;      ///< by block of PanelTraits::block columns
  std::array<std::uint16_t, 16> half_minimums;
  std::array<std::uint8_t, 16> byte_scales;
  std::array<std::uint8_t, 16> byte_minimums;
  std::uint16_t super_scale;
  std::uint16_t super_minimum;
};

/// Takes apart `columns` values of row `row` from column `begin`, a multiple of kGroupColumns;
/// columns is at most kGroupColumns and a multiple of block_size(w.dtype). Of NF4 and FP4, the
/// codes only. \pre w is in rows and its DType has panels
void unpack_codes(const WeightMatrix& w, std::int64_t row, std::int64_t begin, std::int64_t columns,
                  RowGroup& group) noexcept;

}  // namespace nolens
