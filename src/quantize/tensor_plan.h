// What becomes of each tensor of a model that is written as a .nolens file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/matrix.h"
#include "formats/tensor_store.h"

namespace nolens {

/// What was asked for. Nothing = as the tensor is stored.
struct TensorFormats {
  std::optional<DType> linear{};  ///< matrices of the decoder's layers
  std::optional<DType> head{};    ///< token embedding and output head
  bool nested = false;          ///< 8-bit scales for NF4 and FP4
};

enum class Conversion : std::uint8_t {
  kCopy,    ///< the bytes as they are, scales beside them
  kRepack,  ///< the same values as panels
  kRound,   ///< values rounded to `dtype`; rows for plain formats, else panels
};

struct TensorPlan {
  std::string name;  ///< canonical (formats/tensor_specs.h)
  const TensorView* source = nullptr;
  Conversion conversion = Conversion::kCopy;
  DType dtype = DType::kF32;    ///< of the result
  bool nested = false;          ///< of the result
  bool requantised = false;     ///< rounded from a format that had been rounded before
  std::optional<DType> wanted;  ///< set if the tensor's width does not allow what was asked for
};

/// \param store  in which names are unique
/// \return one for each tensor, in the order of the model: decoder, then what is not of it
[[nodiscard]] std::vector<TensorPlan> plan_tensors(const TensorStore& store,
                                                   const TensorFormats& formats);

/// Sentences for people about tensors that did not become what was asked for.
[[nodiscard]] std::vector<std::string> plan_notes(const std::vector<TensorPlan>& plans);

/// A tensor as a matrix [first extent, product of the others].
[[nodiscard]] WeightMatrix matrix_of(const TensorView& tensor) noexcept;

}  // namespace nolens
