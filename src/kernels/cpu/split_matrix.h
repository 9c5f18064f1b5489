// Rows of activations as integers (SplitRows), and their memory.
#pragma once

#include <cstdint>

#include "core/aligned_buffer.h"
#include "core/checked_math.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/grown.h"

namespace nolens {

class SplitMatrix {
 public:
  /// Room for [rows, cols]; what was there is lost.
  void resize(std::int64_t rows, std::int64_t cols) {
    const std::int64_t groups = ceil_div(cols, kGroupColumns) * rows;
    values_ = {grown(low_, groups * kGroupColumns),
               grown(high_, groups * kGroupColumns),
               grown(high_steps_, groups),
               grown(sums16_, groups * 16),
               grown(sums32_, groups * 8),
               grown(sums64_, groups * 4),
               grown(scales_, groups),
               rows};
    cols_ = cols;
  }

  [[nodiscard]] const SplitRows& values() const noexcept { return values_; }
  [[nodiscard]] std::int64_t rows() const noexcept { return values_.rows; }
  [[nodiscard]] std::int64_t cols() const noexcept { return cols_; }

  /// The 256 columns of a group as a matrix of their own.
  [[nodiscard]] SplitRows group(std::int64_t index) const noexcept {
    const std::int64_t first = index * values_.rows;
    return {values_.low + first * kGroupColumns,
            values_.high + first * kGroupColumns,
            values_.high_steps + first,
            values_.sums16 + first * 16,
            values_.sums32 + first * 8,
            values_.sums64 + first * 4,
            values_.scales + first,
            values_.rows};
  }

 private:
  SplitRows values_{};
  std::int64_t cols_ = 0;
  AlignedBuffer<std::int8_t> low_;
  AlignedBuffer<std::int8_t> high_;
  AlignedBuffer<std::uint64_t> high_steps_;
  AlignedBuffer<std::int32_t> sums16_;
  AlignedBuffer<std::int32_t> sums32_;
  AlignedBuffer<std::int32_t> sums64_;
  AlignedBuffer<float> scales_;
};

}  // namespace nolens
