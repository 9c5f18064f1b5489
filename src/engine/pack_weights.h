// Quantised weights of a checkpoint into panels when a model is loaded.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "nolens/log.h"

#include "core/aligned_buffer.h"
#include "decoder/decoder_weights.h"
#include "platform/thread_pool.h"

namespace nolens {

/// Owns the panels that DecoderWeights point to after pack().
class PackedWeights {
 public:
  /// Replaces every weight that has lossless panels by them, with all threads of the pool. Others
  /// stay as they are. Weights in rows lie in mapped files, whose pages are given back. \throws
  /// Error{kResource} if memory is short
  void pack(DecoderWeights& weights, ThreadPool& pool, const ProgressSink& progress);

  /// Of all panels.
  [[nodiscard]] std::int64_t bytes() const noexcept;
  /// Of the weights in the files that panels have replaced, without scales beside them.
  [[nodiscard]] std::int64_t replaced_bytes() const noexcept { return replaced_bytes_; }

 private:
  void pack(WeightMatrix& weight, ThreadPool& pool);

  std::vector<AlignedBuffer<std::byte>> panels_;
  std::deque<WeightScales> scales_;  // addresses stay
  std::int64_t replaced_bytes_ = 0;
};

}  // namespace nolens
