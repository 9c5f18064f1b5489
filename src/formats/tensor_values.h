// A checkpoint's tensors as the model uses them: matrices in place, vectors as float32.
#pragma once

#include <string>
#include <vector>

#include "core/matrix.h"
#include "formats/tensor_store.h"

namespace nolens {

/// A tensor as a weight matrix [shape[0], product of the rest], in place. `store` must outlive it.
/// \throws Error{kModel} if it is missing.
WeightMatrix weight_matrix(const TensorStore& store, const std::string& name);

/// A tensor's values as float32, whatever it is stored in. \throws Error{kModel} if it is missing.
std::vector<float> float_values(const TensorStore& store, const std::string& name);

}  // namespace nolens
