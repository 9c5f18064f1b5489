// One stored weight as a float, by the definition of its format: the oracle of the expansions.
#pragma once

#include <cstdint>

#include "core/matrix.h"

namespace nolens {

/// Value [row, col] of w with its exact bits: the float operations of ggml's dequantisation for the
/// blocks of GGUF, of bitsandbytes' for NF4, FP4 and INT8. Slow on purpose.
float weight_value(const WeightMatrix& w, std::int64_t row, std::int64_t col) noexcept;

}  // namespace nolens
