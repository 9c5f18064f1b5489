// Blocks whose scale is searched for: IQ4_NL and Q6_K, as ggml quantises without an importance
// matrix.
#pragma once

#include <cstddef>
#include <span>

namespace nolens {

/// 32 values -> 18 bytes. The scale minimises the squared error weighted with the squared values.
void quantize_iq4_nl(std::span<const float, 32> values, std::byte* out) noexcept;

/// 256 values -> 210 bytes. Each run of 16 gets the best of 19 scales, in 8 bits of the block's.
void quantize_q6_k(std::span<const float, 256> values, std::byte* out) noexcept;

}  // namespace nolens
