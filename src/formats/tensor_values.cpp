// Tensors by name -> matrices and float vectors.
#include "formats/tensor_values.h"

#include <cstring>
#include <type_traits>

#include "core/float16.h"
#include "formats/tensor_specs.h"

namespace nolens {

namespace {

const TensorView& get_tensor(const TensorStore& store, const std::string& name) {
  const TensorView* tensor = find_tensor(store, name);
  if (tensor == nullptr) {
    throw Error(ErrorCode::kModel, "tensor '" + name + "' is missing from the model files");
  }
  return *tensor;
}

template <typename Stored>
float load_value(const std::byte* data, std::int64_t index) {
  Stored value;
  std::memcpy(&value, data + index * static_cast<std::int64_t>(sizeof(Stored)), sizeof(Stored));
  if constexpr (std::is_same_v<Stored, float>) {
    return value;
  } else {
    return to_float(value);
  }
}

}  // namespace

WeightMatrix weight_matrix(const TensorStore& store, const std::string& name) {
  const TensorView& tensor = get_tensor(store, name);
  std::int64_t cols = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    cols *= tensor.shape[i];
  }
  return {tensor.data,   tensor.dtype,  tensor.shape.empty() ? 1 : tensor.shape[0], cols,
          tensor.scales, tensor.layout};
}

std::vector<float> float_values(const TensorStore& store, const std::string& name) {
  const TensorView& tensor = get_tensor(store, name);
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) {
    count *= extent;
  }
  if (!is_plain(tensor.dtype)) {
    throw Error(ErrorCode::kModel, "tensor '" + name + "' is " +
                                       std::string(dtype_name(tensor.dtype)) +
                                       ", but only matrices may be quantised");
  }
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    float value = 0.0F;
    switch (tensor.dtype) {
      case DType::kF32: value = load_value<float>(tensor.data, i); break;
      case DType::kF16: value = load_value<F16>(tensor.data, i); break;
      default: value = load_value<Bf16>(tensor.data, i); break;
    }
    values[static_cast<std::size_t>(i)] = value;
  }
  return values;
}

}  // namespace nolens
