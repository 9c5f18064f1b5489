// Antialiased bicubic resize in integers, bit-equal to the reference processor's.
#pragma once

#include <cstdint>
#include <vector>

#include "nolens/media.h"

namespace nolens {

/// Weights of one axis: output i = clamp((2^(precision-1) + sum_j pixel[first[i] + j] * weight) >>
/// precision). See docs/model.md, "Resize".
struct ResizeWeights {
  int precision = 0;
  std::int64_t taps = 0;               ///< weights stored per output, unused ones are 0
  std::vector<std::int64_t> first;     ///< [n_out]
  std::vector<std::int64_t> count;     ///< [n_out], <= taps
  std::vector<std::int16_t> weights;   ///< [n_out, taps]
};
ResizeWeights bicubic_weights(std::int64_t n_in, std::int64_t n_out);

/// Resizes to width x height (both > 0), horizontally first. Same size: a copy.
Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height);

}  // namespace nolens
