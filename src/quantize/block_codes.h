// Floats into the 4-bit codes of bitsandbytes, with the rounding of its release 0.50.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/dtype.h"

namespace nolens {

/// Values that share a scale.
inline constexpr std::int64_t kCodeBlock = 64;

/// The largest magnitude of each block of kCodeBlock values; NaN and infinity stay what they are.
/// \param absmax  [values.size() / kCodeBlock]
void find_absmax(std::span<const float> values, std::span<float> absmax) noexcept;

/// Codes of the nearest codebook entries: two a byte, the first in the high half. A value half way
/// between two entries gets the lower one. \param dtype   kNf4 or kFp4 \param absmax  of the
/// blocks, as find_absmax() gives it \param codes   [values.size() / 2]
void quantize_codes(DType dtype, std::span<const float> values, std::span<const float> absmax,
                    std::span<std::byte> codes) noexcept;

[[nodiscard]] const std::array<float, 16>& codebook_of(DType dtype) noexcept;

/// Scales of a whole weight in 8 bits.
struct NestedScales {
  std::vector<unsigned char> codes;  ///< [blocks]
  std::vector<float> absmax;         ///< [ceil(blocks / kNestedBlock)]
  float offset = 0.0F;
};
inline constexpr std::int64_t kNestedBlock = 256;

/// "Double quantisation" (QLoRA, section 3): differences from the mean, in blocks of kNestedBlock,
/// as nearest entries of dynamic_codebook(). The mean is added in double precision; bitsandbytes
/// adds in single precision in an order of its own, so that its offset may differ in the last bits.
[[nodiscard]] NestedScales nest_scales(std::span<const float> absmax);
/// The same with a given offset.
[[nodiscard]] NestedScales nest_scales(std::span<const float> absmax, float offset);

}  // namespace nolens
