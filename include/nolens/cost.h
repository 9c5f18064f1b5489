// What a step of the decoder has to compute and to read: for shares of what the machine can do.
#pragma once

#include <cstdint>
#include <vector>

#include "nolens/model.h"

namespace nolens {

/// Numbers that are multiplied with each other.
enum class Arithmetic : std::uint8_t { kInt8, kBf16, kFloat32 };

/// Matrices that are multiplied in the same numbers. A row times a matrix is 2 operations a
/// parameter.
struct ProductCost {
  Arithmetic arithmetic = Arithmetic::kFloat32;
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< in memory, scales included
};

struct DecoderCost {
  std::vector<ProductCost> layers;  ///< projections of all layers: the work of every token
  ProductCost head;                 ///< the work of every token whose logits are wanted
};

/// Of the model as it was loaded. Norms, attention and the lookup of embeddings are not counted.
DecoderCost decoder_cost(const Model& model);

/// Bytes of keys and values that a token at `position` reads, its own included.
std::int64_t kv_read_bytes(const Model& model, std::int64_t position);

}  // namespace nolens
