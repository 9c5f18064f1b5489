// Compares the engine's rows, as they come, with a recorded tensor's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "conform/difference.h"
#include "conform/reference.h"
#include "core/matrix.h"

namespace nolens {

/// Row i of the tensor belongs to prompt position first + i * step.
class RowComparer {
 public:
  RowComparer(ReferenceTensor tensor, std::int64_t first, std::int64_t step)
      : tensor_(std::move(tensor)),
        first_(first),
        step_(step),
        row_(static_cast<std::size_t>(tensor_.cols())) {}

  /// The recorded row of a position, empty if that is not recorded. Valid until the next call.
  std::span<const float> row_at(std::int64_t position) {
    if (position < first_ || (position - first_) % step_ != 0) {
      return {};
    }
    tensor_.read_row((position - first_) / step_, row_);
    return row_;
  }
  /// x [T, cols]: rows of positions begin, begin + 1, …
  void add(std::int64_t begin, ConstMatrix x) {
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const std::span<const float> expected = row_at(begin + i);
      if (!expected.empty()) {
        meter_.add(begin + i, expected, {x.row(i), expected.size()});
      }
    }
  }
  [[nodiscard]] Difference result() const noexcept { return meter_.result(); }

 private:
  ReferenceTensor tensor_;
  std::int64_t first_;
  std::int64_t step_;
  std::vector<float> row_;
  DifferenceMeter meter_;
};

}  // namespace nolens
