// A scan of all weights at memory speed.
#include "formats/finite_check.h"

#include <algorithm>
#include <atomic>

#include "formats/finite.h"
#include "platform/thread_pool.h"

namespace nolens {

namespace {

constexpr std::int64_t kSlice = std::int64_t{4} << 20;  // elements per unit of parallel work

std::int64_t element_count(const TensorView& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) {
    count *= extent;
  }
  return count;
}

/// Elements [begin, end) of a tensor as a tensor; both multiples of its block size.
TensorView slice(const TensorView& tensor, std::int64_t begin, std::int64_t end) {
  TensorView part;
  part.dtype = tensor.dtype;
  part.shape = {end - begin};
  part.data = tensor.data + row_bytes(tensor.dtype, begin);
  part.bytes = row_bytes(tensor.dtype, end - begin);
  return part;
}

}  // namespace

void check_finite(const TensorStore& store, ThreadPool& pool, const ProgressSink& progress) {
  std::int64_t done = 0;
  for (const TensorView& tensor : store.tensors()) {
    const std::int64_t count = element_count(tensor);
    std::atomic<bool> bad = false;
    if (tensor.layout == WeightLayout::kPanels) {
      // Checked when they were packed; reading them all again is what the layout is there to avoid.
    } else if (needs_scales(tensor.dtype)) {
      check_finite(tensor);  // reads the scales only, which are few
    } else {
      pool.parallel_for(
          (count + kSlice - 1) / kSlice, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) {
              if (find_nonfinite(slice(tensor, i * kSlice, std::min(count, (i + 1) * kSlice)))) {
                bad = true;
              }
            }
          });
    }
    if (bad) {
      check_finite(tensor);  // finds the element and says so
    }
    done += tensor.bytes;
    if (progress && store.total_bytes() > 0) {
      progress(static_cast<double>(done) / static_cast<double>(store.total_bytes()));
    }
  }
}

}  // namespace nolens
