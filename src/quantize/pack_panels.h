// Rows of a quantised weight into panels (core/panel_layout.h), without changing a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/matrix.h"

namespace nolens {

/// The panels that hold exactly the values of a weight in rows, nothing if there are none: plain
/// formats and INT8; NF4 and FP4 in blocks that are no multiple of 64; rows of a length that panels
/// cannot have (fits_panels()). Nested scales stay nested for blocks of 64 and become floats
/// otherwise.
[[nodiscard]] std::optional<PanelFormat> lossless_panels(const WeightMatrix& rows) noexcept;

/// What a weight in panels needs beside them, of NF4 and FP4: the codebook, blocks of 64, and for
/// nested scales everything but their codes, which are in the panels. Points to the same memory as
/// `scales`.
[[nodiscard]] WeightScales panel_scales(const WeightScales& scales, PanelFormat format) noexcept;

/// Number of panels of a matrix of `rows` rows.
[[nodiscard]] constexpr std::int64_t panel_count(std::int64_t rows) noexcept {
  return (rows + kPanelRows - 1) / kPanelRows;
}

/// Writes panels [begin, end) of `rows`. Rows beyond the matrix become codes and scales of value 0.
/// \param rows  in WeightLayout::kRows, with lossless_panels()
/// \param out   (end - begin) * panel_bytes(*lossless_panels(rows), rows.cols) bytes
void pack_panels(const WeightMatrix& rows, std::int64_t begin, std::int64_t end,
                 std::span<std::byte> out);

}  // namespace nolens
