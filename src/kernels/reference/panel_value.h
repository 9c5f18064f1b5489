// One weight of a panel as a float, by the definition of the layout: the oracle of the packed
// kernels.
#pragma once

#include <cstdint>

#include "core/matrix.h"

namespace nolens {

/// Value [row, col] of a weight in panels with its exact bits: the float operations of
/// weight_value() on the rows that were packed. Rows beyond the matrix, up to the end of the last
/// panel, are 0. Slow on purpose. \pre panels.layout is kPanels
float panel_value(const WeightMatrix& panels, std::int64_t row, std::int64_t col) noexcept;

}  // namespace nolens
