// Stored weights as floats, row by row.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.h"

namespace nolens {

/// The values of row `row` with their exact bits: those of weight_value() (kernels/reference).
/// \param w    in WeightLayout::kRows, of any format
/// \param out  [w.cols]
void row_values(const WeightMatrix& w, std::int64_t row, std::span<float> out) noexcept;

/// Whether no value is NaN or infinite.
[[nodiscard]] bool all_finite(std::span<const float> values) noexcept;

}  // namespace nolens
