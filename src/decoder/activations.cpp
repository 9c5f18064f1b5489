// One allocation, cut into the buffers of a step.
#include "decoder/activations.h"

#include <algorithm>

namespace nolens {
namespace {

/// Every buffer begins on a cache line of so many floats, which takes less than one line each.
constexpr std::int64_t kLineFloats = 16;
constexpr std::int64_t kSlackFloats = 8 * kLineFloats;

}  // namespace

Activations::Activations(const TextConfig& config, const DecoderWeights& weights,
                         const Kernels& kernels)
    : hidden_size_(config.hidden_size), intermediate_size_(config.intermediate_size) {
  for (const LayerConfig& layer : config.layers) {
    query_width_ = std::max(query_width_, config.num_attention_heads * layer.head_dim);
    key_width_ = std::max(key_width_, layer.num_key_value_heads * layer.head_dim);
  }
  const auto needs_up = [&kernels](const LayerWeights& layer) {
    return kernels.gated_linear_needs_scratch(layer.gate_proj, layer.up_proj);
  };
  if (std::any_of(weights.layers.begin(), weights.layers.end(), needs_up)) {
    up_width_ = intermediate_size_;
  }
}

/// Floats that a row takes. Attention is over when the feed-forward block begins, and a block has read
/// `normed` when it writes `branch`: they share memory.
std::int64_t Activations::row_floats() const noexcept {
  return hidden_size_ + std::max(intermediate_size_ + up_width_, 2 * query_width_ + 2 * key_width_);
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
  normed = {take(hidden_size_), rows, hidden_size_};
  branch = normed;
  float* const shared = next;
  gate = {take(intermediate_size_), rows, intermediate_size_};
  up = {take(up_width_), rows, up_width_};
  next = shared;
  q_ = take(query_width_);
  attended_ = take(query_width_);
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
