// Scales that bitsandbytes keeps in tensors of their own, beside the weight they belong to.
#pragma once

#include <array>
#include <cstdint>

#include "core/dtype.h"

namespace nolens {

/// Pointers lead into mapped files and may have any alignment.
///   NF4, FP4   value i of the flattened weight = codebook[code i] * scale(i / block_size), a float
///              rounded to value_dtype
///   INT8       value [n, k] = code * absmax[n] * (1 / 127)
/// Dettmers et al. 2023 (QLoRA), section 3; Dettmers et al. 2022 (LLM.int8()), section 2.
struct WeightScales {
  std::array<float, 16> codebook{};  ///< NF4, FP4
  std::int64_t block_size = 0;       ///< NF4, FP4: blocks run over the flattened weight, not over rows
  /// F32 [blocks], F32 [rows] for INT8, or U8 [blocks] if nested: then
  /// scale(b) = nested_codebook[absmax[b]] * nested_absmax[b / nested_block_size] + nested_offset.
  const unsigned char* absmax = nullptr;
  bool nested = false;
  std::array<float, 256> nested_codebook{};
  const unsigned char* nested_absmax = nullptr;  ///< F32 [ceil(blocks / nested_block_size)]
  std::int64_t nested_block_size = 0;
  float nested_offset = 0.0F;
  DType value_dtype = DType::kF32;  ///< NF4, FP4: F32, F16 or BF16, which the weight had before
};

}  // namespace nolens
