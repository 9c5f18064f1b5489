// float32 -> blocks of 32 or 256, with the rounding of ggml's reference quantisers, so that a file made
// here holds the bits that ggml would have written.
#pragma once

#include <cstddef>
#include <span>

#include "core/dtype.h"

namespace nolens {

/// True for the types quantize_row() writes: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q6_K,
/// IQ4_NL.
[[nodiscard]] bool can_quantize(DType dtype) noexcept;

/// \param values  a multiple of block_size(dtype), finite
/// \param out     row_bytes(dtype, values.size()) bytes
void quantize_row(DType dtype, std::span<const float> values, std::span<std::byte> out);

}  // namespace nolens
