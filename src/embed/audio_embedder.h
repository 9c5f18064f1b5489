// Audio frames -> soft tokens.
//
//   soft = embedding_projection(RMSNorm(frame))        audio_embed_dim samples -> hidden_size
//
// The RMSNorm has no weight; there is no position but the decoder's, and the rows are causal.
#pragma once

#include <cstdint>
#include <span>

#include "core/aligned_buffer.h"
#include "core/matrix.h"
#include "formats/tensor_store.h"
#include "kernels/kernels.h"
#include "nolens/config.h"

namespace nolens {

/// The projection [hidden_size, audio_embed_dim], a view into `store`, which must outlive it.
WeightMatrix audio_projection(const TensorStore& store);

class AudioEmbedder {
 public:
  AudioEmbedder(const AudioConfig& config, const WeightMatrix& projection, Kernels& kernels);
  /// Frames first_frame … first_frame + soft.rows - 1 of the sound, unscaled.   soft [n, hidden_size]
  void embed(std::span<const float> samples, std::int64_t first_frame, Matrix soft);

 private:
  const AudioConfig& config_;
  WeightMatrix projection_;
  Kernels& kernels_;
  AlignedBuffer<float> frames_;
};

}  // namespace nolens
