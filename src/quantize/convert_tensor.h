// The bytes a planned tensor has in a .nolens file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "platform/thread_pool.h"
#include "quantize/tensor_plan.h"

namespace nolens {

/// Takes the bytes in order. May throw to stop.
using ByteSink = std::function<void(std::span<const std::byte>)>;

struct ConvertOptions {
  bool release_sources = false;  ///< as WriteOptions
  /// Called with the number of source bytes that were read since the last call.
  std::function<void(std::int64_t bytes)> tick;
};

/// Bytes that convert_tensor() gives.
[[nodiscard]] std::int64_t converted_bytes(const TensorPlan& plan);

/// Scales of the result that do not lie in its data: [ceil(blocks / nested block)] and then the
/// offset; empty if it has none. \throws Error{kModel} naming a weight that is not finite
std::vector<float> convert_tensor(const TensorPlan& plan, ThreadPool& pool,
                                  const ConvertOptions& options, const ByteSink& sink);

}  // namespace nolens
