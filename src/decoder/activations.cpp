// One allocation, cut into the buffers of a step.
#include "decoder/activations.h"

#include <algorithm>

namespace nolens {

Activations::Activations(const TextConfig& config)
    : hidden_size_(config.hidden_size), intermediate_size_(config.intermediate_size) {
  for (const LayerConfig& layer : config.layers) {
    query_width_ = std::max(query_width_, config.num_attention_heads * layer.head_dim);
    key_width_ = std::max(key_width_, layer.num_key_value_heads * layer.head_dim);
  }
}

void Activations::resize(std::int64_t rows) {
  if (rows > capacity_) {
    const std::int64_t per_row =
        2 * hidden_size_ + 2 * intermediate_size_ + 2 * query_width_ + 2 * key_width_;
    // 16 floats of slack each keep every buffer on a cache line.
    buffer_ = AlignedBuffer<float>(rows * per_row + 8 * 16);
    capacity_ = rows;
  }
  rows_ = rows;
  float* next = buffer_.data();
  const auto take = [&](std::int64_t width) {
    float* start = next;
    next += round_up(capacity_ * width, 16);
    return start;
  };
  normed = {take(hidden_size_), rows, hidden_size_};
  branch = {take(hidden_size_), rows, hidden_size_};
  gate = {take(intermediate_size_), rows, intermediate_size_};
  up = {take(intermediate_size_), rows, intermediate_size_};
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
