// Raw sound into the decoder's width.
#include "embed/audio_embedder.h"

#include "formats/tensor_values.h"
#include "preprocess/audio_to_frames.h"

namespace nolens {

WeightMatrix audio_projection(const TensorStore& store) {
  return weight_matrix(store, "model.embed_audio.embedding_projection.weight");
}

AudioEmbedder::AudioEmbedder(const AudioConfig& config, const WeightMatrix& projection,
                             Kernels& kernels)
    : config_(config), projection_(projection), kernels_(kernels) {}

void AudioEmbedder::embed(std::span<const float> samples, std::int64_t first_frame, Matrix soft) {
  const std::int64_t values = soft.rows * config_.audio_embed_dim;
  if (frames_.size() < values) {
    frames_ = AlignedBuffer<float>(values);
  }
  const Matrix frames{frames_.data(), soft.rows, config_.audio_embed_dim};
  audio_to_frames(samples, first_frame, frames);
  kernels_.rms_norm(frames, {}, config_.rms_norm_eps, frames);
  kernels_.linear(frames, projection_, {}, soft);
}

}  // namespace nolens
