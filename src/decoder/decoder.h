// Rows of hidden size in, rows of hidden size out: the page to read first.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "core/matrix.h"
#include "decoder/activations.h"
#include "decoder/decoder_weights.h"
#include "decoder/kv_cache.h"
#include "decoder/visibility.h"
#include "kernels/kernels.h"
#include "nolens/config.h"

namespace nolens {

/// Consecutive rows of one sequence in a step. The cache has room for them (KvCache::reserve).
struct StepSequence {
  KvCache* cache = nullptr;
  std::int64_t row_count = 0;
  std::span<const VisionBlock> blocks;  ///< of the whole sequence; none is cut by the step
  MaskRule mask_rule = MaskRule::kCanonical;
  /// Of a decoder that reads another one's keys (KeySource::kBorrowed): the layer of `cache` that each of
  /// its layers reads. The only row stands at end() and sees what is before it; the cache stays as it is.
  std::span<const std::size_t> borrowed_layers{};

  [[nodiscard]] bool borrows() const noexcept { return !borrowed_layers.empty(); }
};

/// Sees the residual stream after each layer, x [T, D]; for comparisons with the reference.
using LayerObserver = std::function<void(std::size_t layer, ConstMatrix x)>;

/// Layers begin … end - 1; an end beyond the last layer means all that follow.
struct LayerRange {
  std::size_t begin = 0;
  std::size_t end = std::numeric_limits<std::size_t>::max();
};

/// The decoder-only transformer. Not thread-safe: one step at a time.
class Decoder {
 public:
  /// All references must outlive the decoder.
  Decoder(const TextConfig& config, const DecoderWeights& weights, Kernels& kernels);

  /// Runs all layers on x [T, D] in place; rows are those of `sequences` in order. Keys and values are
  /// stored in the caches, whose end() advances. Equations: docs/model.md.
  /// With fewer layers x is the residual stream before the first of them, and the caches hold only theirs.
  void forward(std::span<const StepSequence> sequences, Matrix x,
               const LayerObserver& observer = {}, LayerRange layers = {});

  /// A step in pieces, between which steps of other sequences may run: all layers in order, a range at a
  /// time, then finish(), give what forward() gives.
  void forward_layers(std::span<const StepSequence> sequences, Matrix x, LayerRange layers,
                      const LayerObserver& observer = {});
  /// The caches now hold the rows of the step.
  static void finish(std::span<const StepSequence> sequences);

  /// Final norm of x [T, D] in place.
  void final_norm(Matrix x);
  /// Final norm of x [T, D] in place, then logits [T, V] with the final soft cap.
  void lm_head(Matrix x, Matrix logits);

 private:
  /// What differs by layer type within a step.
  struct TypeState {
    std::vector<float> frequencies;   ///< [S/2]
    AlignedBuffer<float> cos, sin;    ///< [T, S/2]
    Visibility visible;
    std::int64_t pairs = 0;           ///< S/2
    bool used = false;
  };
  void prepare(std::span<const StepSequence> sequences, std::int64_t rows);
  void attention_block(std::size_t layer, Matrix x);
  void store_keys_and_values(std::size_t layer, ConstMatrix cos, ConstMatrix sin);
  void mlp_block(std::size_t layer, Matrix x);
  TypeState& type_state(LayerType type) noexcept {
    return states_[type == LayerType::kSlidingAttention ? 0 : 1];
  }

  const TextConfig& config_;
  const DecoderWeights& weights_;
  Kernels& kernels_;
  Activations activations_;
  TypeState states_[2];
  std::vector<std::int64_t> positions_;  ///< [T]
  std::span<const StepSequence> sequences_;
  std::vector<SequenceSlice> slices_;    ///< of the current layer
};

}  // namespace nolens
