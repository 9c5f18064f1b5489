// What a step of the decoder has to compute and to read, for shares of what the machine can do; and what
// memory a model and a session take.
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

/// What a session will be asked to hold.
struct MemoryUse {
  std::int64_t context_length = 0;  ///< tokens, at least 1; all of them are used
  KvCacheType kv_cache = KvCacheType::kAuto;
  std::int64_t prefill_chunk = 384;  ///< as SessionOptions::prefill_chunk
  std::int64_t image_tokens = 0;     ///< as SessionOptions::image_tokens
  std::int64_t picture_pixels = 0;   ///< of the largest picture before scaling; 0 = no pictures
};

/// Bytes of memory of a model and one session at its fullest. What a program needs beside, its code, the
/// tokenizer and files being decoded, is not counted.
struct MemoryBudget {
  std::int64_t weights_mapped = 0;  ///< used where they lie in the files
  std::int64_t weights_packed = 0;  ///< copies made when the model was loaded
  std::int64_t full_layers = 0;     ///< keys and values of all positions
  std::int64_t sliding_layers = 0;  ///< keys and values of the window and of the rows of a step
  std::int64_t growth = 0;          ///< what a layer held before it grew, beside what it holds now
  std::int64_t activations = 0;     ///< rows of the largest step, and what products make of them
  std::int64_t logits = 0;          ///< of the next token, and what sampling makes of them
  std::int64_t picture = 0;         ///< scaled, its patches and what becomes of them
  /// Pixels of a picture, and the scaled ones while scale_pictures() makes them: gone before a new
  /// session has anything.
  std::int64_t decoding = 0;

  [[nodiscard]] std::int64_t weights() const noexcept { return weights_mapped + weights_packed; }
  [[nodiscard]] std::int64_t keys_values() const noexcept {
    return full_layers + sliding_layers + growth;
  }
  [[nodiscard]] std::int64_t session() const noexcept {
    return keys_values() + activations + logits + picture;
  }
  /// At the moment when it is most.
  [[nodiscard]] std::int64_t total() const noexcept {
    return weights() + (session() > decoding ? session() : decoding);
  }
};

/// Of the model as it was loaded. \throws Error{kUsage} if an exact model is asked for less than float32
MemoryBudget memory_budget(const Model& model, const MemoryUse& use);

}  // namespace nolens
