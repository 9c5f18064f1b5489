// One allocation, cut into the buffers of a step.
#include "decoder/activations.h"

#include <algorithm>

namespace nolens {
namespace {

/// Every buffer begins on a cache line of so many floats, which takes less than one line each.
constexpr std::int64_t kLineFloats = 16;
constexpr std::int64_t kSlackFloats = 4 * kLineFloats;

}  // namespace

Activations::Activations(const TextConfig& config, const DecoderWeights& weights,
                         const Kernels& kernels)
    : hidden_size_(config.hidden_size) {
  for (const LayerConfig& layer : config.layers) {
    query_width_ = std::max(query_width_, config.num_attention_heads * layer.head_dim);
    key_width_ = std::max(key_width_, layer.num_key_value_heads * layer.head_dim);
  }
  const auto needs_hidden = [&](const LayerWeights& layer) {
    return kernels.mlp_needs_scratch(
        {layer.gate_proj, layer.up_proj, layer.down_proj, config.hidden_activation});
  };
  if (std::any_of(weights.layers.begin(), weights.layers.end(), needs_hidden)) {
    hidden_width_ = config.intermediate_size;
  }
}

/// Floats that a row takes. Attention is over when the feed-forward block begins, and keys and values are
/// in the cache when it writes `attended`: they share memory.
std::int64_t Activations::row_floats() const noexcept {
  return hidden_size_ +
         std::max(2 * hidden_width_, query_width_ + std::max(query_width_, 2 * key_width_));
}

std::int64_t Activations::bytes_at(const TextConfig& config, const DecoderWeights& weights,
                                   const Kernels& kernels, std::int64_t rows) {
  return (rows * Activations(config, weights, kernels).row_floats() + kSlackFloats) * 4;
}

void Activations::resize(std::int64_t rows) {
  if (rows > capacity_) {
    buffer_ = AlignedBuffer<float>();  // both at once would be twice the memory
    capacity_ = 0;
    buffer_ = AlignedBuffer<float>(rows * row_floats() + kSlackFloats);
    capacity_ = rows;
  }
  rows_ = rows;
  float* next = buffer_.data();
  const auto take = [&](std::int64_t width) {
    float* start = next;
    next += round_up(capacity_ * width, kLineFloats);
    return start;
  };
  branch = {take(hidden_size_), rows, hidden_size_};
  hidden = {next, 2 * rows, hidden_width_};
  q_ = take(query_width_);
  attended_ = next;
  k_ = take(key_width_);
  v_ = take(key_width_);
}

Matrix Activations::q(std::int64_t width) const noexcept { return {q_, rows_, width}; }
Matrix Activations::attended(std::int64_t width) const noexcept {
  return {attended_, rows_, width};
}
Matrix Activations::k(std::int64_t width) const noexcept { return {k_, rows_, width}; }
Matrix Activations::v(std::int64_t width) const noexcept { return {v_, rows_, width}; }

}  // namespace nolens
