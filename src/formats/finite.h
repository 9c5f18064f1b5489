// Finds NaN and infinity in weights before they reach a computation.
#pragma once

#include <cstdint>
#include <optional>

#include "formats/tensor_store.h"

namespace nolens {

/// Row-major index of the first element that is NaN or infinite; of a quantised tensor, the first
/// element of the block or row with such a scale. One pass over the bit patterns at memory speed,
/// on the calling thread.
std::optional<std::int64_t> find_nonfinite(const TensorView& tensor) noexcept;

/// \throws Error{kModel} naming file, tensor, element and value if find_nonfinite() finds one.
void check_finite(const TensorView& tensor);

}  // namespace nolens
