// The buffers of one step.
#pragma once

#include <cstdint>

#include "nolens/config.h"

#include "core/aligned_buffer.h"
#include "core/matrix.h"
#include "decoder/decoder_weights.h"
#include "kernels/kernels.h"

namespace nolens {

/// Every buffer holds T rows. They are views into one allocation that is made for the largest step
/// seen and reused; a step with fewer rows uses their beginning. attended shares memory with k and v,
/// and hidden with all of attention; no others do.
///
/// There is room for the widest layer; q(), k(), v() and attended() give what a layer needs of it.
class Activations {
 public:
  Activations(const TextConfig& config, const DecoderWeights& weights, const Kernels& kernels);
  /// Makes room for `rows` rows. \throws Error{kResource}
  void resize(std::int64_t rows);

  /// Bytes after resize(rows).
  static std::int64_t bytes_at(const TextConfig& config, const DecoderWeights& weights,
                               const Kernels& kernels, std::int64_t rows);

  Matrix branch;  ///< [T, D]: what a block adds to the residual stream, and scratch before
  Matrix hidden;  ///< [2 T, F]: scratch of an MLP; [2 T, 0] where no layer's needs it
  /// First `width` columns' worth of q [T, H*S], attended [T, H*S], k and v [T, G*S].
  [[nodiscard]] Matrix q(std::int64_t width) const noexcept;
  [[nodiscard]] Matrix attended(std::int64_t width) const noexcept;
  [[nodiscard]] Matrix k(std::int64_t width) const noexcept;
  [[nodiscard]] Matrix v(std::int64_t width) const noexcept;
  [[nodiscard]] std::int64_t bytes() const noexcept { return buffer_.size() * 4; }

 private:
  [[nodiscard]] std::int64_t row_floats() const noexcept;

  std::int64_t hidden_size_;
  std::int64_t hidden_width_ = 0;
  std::int64_t query_width_ = 0;
  std::int64_t key_width_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t capacity_ = 0;
  float* q_ = nullptr;
  float* attended_ = nullptr;
  float* k_ = nullptr;
  float* v_ = nullptr;
  AlignedBuffer<float> buffer_;
};

}  // namespace nolens
