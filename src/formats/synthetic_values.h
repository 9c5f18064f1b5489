// Random numbers that stand in for trained weights. Every value is a function of seed, tensor and
// position, so that threads may fill pieces in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/dtype.h"
#include "formats/tensor_specs.h"

namespace nolens {

/// value = mean + deviation * z, z normal with mean 0 and variance 1 and |z| < 3.7.
struct ValueDistribution {
  float mean = 0.0F;
  float deviation = 0.0F;
};

/// How the weights of a tensor are drawn so that activations keep about unit variance:
///   matrices          deviation 1/sqrt(inputs)
///   q_norm, k_norm    around head_dim^-1/4, so that attention scores have unit variance (the
///   engine
///                     does not scale them)
///   final norm        around 0 with deviation 4: logits of deviation 4 that do not favour the
///   input
///                     token, as tied embeddings otherwise would
///   other norms and layer_scalar around 1; biases around 0; position table around 0
ValueDistribution synthetic_distribution(const NamedShape& tensor);

/// Writes elements [begin, begin + out.size() / element size) of the tensor `name`.
/// \param dtype  kF32, kF16 or kBf16
void fill_synthetic(std::string_view name, std::uint64_t seed, ValueDistribution distribution,
                    DType dtype, std::int64_t begin, std::span<std::byte> out);

}  // namespace nolens
