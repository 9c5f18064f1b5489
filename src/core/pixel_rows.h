// A view of rows of pixel values, bytes that stand for floats.
#pragma once

#include <cstdint>

namespace nolens {

/// The float that a byte stands for.
struct PixelScale {
  float factor = 1.0F;
  float divisor = 0.0F;  ///< 0 = multiply by `factor`; otherwise divide by this

  [[nodiscard]] float value(std::uint8_t pixel) const noexcept {
    const auto number = static_cast<float>(pixel);
    return divisor != 0.0F ? number / divisor : number * factor;
  }
};

/// Read-only [rows, cols], row after row. Values are made where they are needed: a byte takes a
/// quarter of the memory of its float.
struct PixelRows {
  const std::uint8_t* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  PixelScale scale{};

  [[nodiscard]] const std::uint8_t* row(std::int64_t index) const noexcept {
    return data + index * cols;
  }
};

}  // namespace nolens
