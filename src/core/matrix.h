// Views of two-dimensional data. They never own; rows are contiguous, `stride` apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/check.h"
#include "core/dtype.h"
#include "core/panel_layout.h"
#include "core/weight_scales.h"

namespace nolens {

/// Read-only float matrix [rows, cols].
struct ConstMatrix {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  ///< floats from one row to the next, >= cols

  ConstMatrix() = default;
  ConstMatrix(const float* values, std::int64_t row_count, std::int64_t column_count)
      : data(values), rows(row_count), cols(column_count), stride(column_count) {}
  ConstMatrix(const float* values, std::int64_t row_count, std::int64_t column_count,
              std::int64_t row_stride)
      : data(values), rows(row_count), cols(column_count), stride(row_stride) {}

  [[nodiscard]] const float* row(std::int64_t index) const noexcept { return data + index * stride; }
  [[nodiscard]] ConstMatrix row_range(std::int64_t begin, std::int64_t end) const noexcept {
    return {row(begin), end - begin, cols, stride};
  }
};

/// Writable float matrix [rows, cols].
struct Matrix {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  Matrix() = default;
  Matrix(float* values, std::int64_t row_count, std::int64_t column_count)
      : data(values), rows(row_count), cols(column_count), stride(column_count) {}
  Matrix(float* values, std::int64_t row_count, std::int64_t column_count, std::int64_t row_stride)
      : data(values), rows(row_count), cols(column_count), stride(row_stride) {}

  [[nodiscard]] float* row(std::int64_t index) const noexcept { return data + index * stride; }
  [[nodiscard]] Matrix row_range(std::int64_t begin, std::int64_t end) const noexcept {
    return {row(begin), end - begin, cols, stride};
  }
  operator ConstMatrix() const noexcept { return {data, rows, cols, stride}; }  // NOLINT: a view of the same
};

/// How the values of a weight follow each other.
enum class WeightLayout : std::uint8_t {
  kRows,    ///< row after row, as checkpoints store them
  kPanels,  ///< core/panel_layout.h; aligned to 64 bytes
};

/// A weight [rows = outputs, cols = inputs] as it is stored, usually inside a mapped file. Rows may have
/// any alignment.
struct WeightMatrix {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  /// Of NF4, FP4 and INT8; outlives the view. Scales that are part of the panels are null in it.
  const WeightScales* scales = nullptr;
  WeightLayout layout = WeightLayout::kRows;

  [[nodiscard]] bool empty() const noexcept { return data == nullptr; }
  [[nodiscard]] std::int64_t bytes_per_row() const noexcept { return row_bytes(dtype, cols); }
  [[nodiscard]] std::int64_t bytes() const noexcept {
    return layout == WeightLayout::kPanels ? panels_bytes(panel_format(), rows, cols)
                                           : rows * bytes_per_row();
  }
  /// Of a weight in panels, or that could be; \pre has_panels(dtype).
  [[nodiscard]] PanelFormat panel_format() const noexcept {
    return *nolens::panel_format(dtype, scales != nullptr && scales->nested);
  }
};

}  // namespace nolens
