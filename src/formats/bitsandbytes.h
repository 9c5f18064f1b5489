// Weights quantised with bitsandbytes: several tensors of a safetensors file become one.
//
// NF4 and FP4: X.weight (bytes of codes under any type), X.weight.absmax, .quant_map, for double
// quantisation .nested_absmax and .nested_quant_map, and .quant_state.bitsandbytes__nf4 or __fp4, a
// JSON object. INT8: X.weight (I8), X.SCB (F32, one a row), X.weight_format (U8, 0). Dettmers et
// al. 2022, 2023.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "formats/tensor_store.h"

namespace nolens {

/// A tensor of a type the engine does not compute with, and its bytes.
struct RawTensor {
  std::string name;
  std::string dtype;  ///< as written in the file
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::int64_t bytes = 0;
  std::string file;
};

/// Scales that TensorView::scales points to.
using ScalesList = std::vector<std::unique_ptr<const WeightScales>>;

/// Replaces the tensors of every quantised weight X.weight by one view of shape [N, K] and type
/// NF4, FP4 or INT8. The others stay. Reads the codebooks and the JSON; checks every size, not the
/// codes, nor that the scales are finite (finite.h). \param tensors  those of usable types;
/// unsorted \param raw      those of other types \return what the views need; must live as long
/// \throws Error{kModel} naming file, tensor and field, if a part is missing or contradicts
/// another.
ScalesList resolve_bitsandbytes(std::vector<TensorView>& tensors, std::vector<RawTensor>& raw);

}  // namespace nolens
