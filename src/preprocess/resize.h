// Antialiased bicubic resize in integers, bit-equal to the reference processor's.
#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned_buffer.h"
#include "nolens/media.h"
#include "preprocess/resize_passes.h"

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

/// The passes this machine runs, best first; they differ in speed only.
const std::vector<const ResizePasses*>& runnable_resize_passes();

/// Where lines of RGB go: line i in pieces of `piece` bytes, of which piece x begins at data + i *
/// line_stride + x * piece_stride. A line has a whole number of pieces.
struct LineTarget {
  std::uint8_t* data;
  std::int64_t line_stride;
  std::int64_t piece;
  std::int64_t piece_stride;
};

/// A resize to width x height (both > 0), horizontally first, that can be had in bands of lines.
/// The picture must outlive it.
class BicubicResize {
 public:
  BicubicResize(const Image& image, std::int64_t width, std::int64_t height,
                const ResizePasses& passes = *runnable_resize_passes().front());
  BicubicResize(const BicubicResize&) = delete;
  BicubicResize& operator=(const BicubicResize&) = delete;

  /// Memory of one thread, kept from band to band.
  struct Scratch {
    AlignedBuffer<std::uint8_t> line;
    AlignedBuffer<std::uint8_t> lines;
  };
  /// Lines [begin, end) of the result. Bands may be computed in any order and, with a scratch each,
  /// at the same time. \throws Error{kResource}
  void lines(std::int64_t begin, std::int64_t end, Scratch& scratch,
             const LineTarget& target) const;
  /// The same to `target` [end - begin, width, 3].
  void lines(std::int64_t begin, std::int64_t end, Scratch& scratch, std::uint8_t* target) const {
    lines(begin, end, scratch, {target, width_ * 3, width_ * 3, width_ * 3});
  }

 private:
  const std::uint8_t* narrowed(std::int64_t begin, std::int64_t end, Scratch& scratch) const;

  const Image& image_;
  std::int64_t width_;
  const ResizePasses& passes_;
  bool has_horizontal_;
  bool has_vertical_;
  ResizeWeights horizontal_;
  ResizeWeights vertical_;
  ResizeAxis axis_{};  ///< view of horizontal_
};

/// All of it at once. Same size: a copy.
Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height,
                     const ResizePasses& passes = *runnable_resize_passes().front());

}  // namespace nolens
