// The two passes of a resize, per instruction set. All give the same bytes: integer sums are exact.
// This header is included by code built for an instruction set: it may define data only.
#pragma once

#include <cstdint>

namespace nolens {

/// Weights of the horizontal axis: output i takes pixels first[i] … first[i] + taps - 1, of which
/// those beyond the line have weight 0.
struct ResizeAxis {
  std::int64_t n_in;
  std::int64_t n_out;
  std::int64_t taps;            ///< a multiple of 4
  const std::int64_t* first;    ///< [n_out]
  const std::int16_t* weights;  ///< [n_out, taps]
  int precision;
};

/// Lines of RGB: [rows, n_in, 3] -> [rows, n_out, 3].
struct ResizeLines {
  ResizeAxis axis;
  const std::uint8_t* source;
  std::int64_t source_stride;  ///< bytes from line to line
  std::uint8_t* target;
  std::int64_t target_stride;
  std::int64_t rows;
  std::uint8_t* scratch;  ///< 8 * (n_in + 2 * taps + 8) bytes, aligned to 64
};

/// One line from `count` lines of the same length: target[x] = weighted sum of source[j][x].
struct ResizeColumn {
  const std::uint8_t* source;
  std::int64_t source_stride;
  std::int64_t count;
  const std::int16_t* weights;  ///< [count], and a 0 after them if count is odd
  int precision;
  std::int64_t size;  ///< bytes of a line
  std::uint8_t* target;
};

struct ResizePasses {
  const char* name;
  void (*lines)(const ResizeLines& args) noexcept;
  void (*column)(const ResizeColumn& args) noexcept;
};

// Constant data, not functions: no code built for an instruction set may run before dispatch.
extern const ResizePasses kPlainResizePasses;
extern const ResizePasses kAvx2ResizePasses;

}  // namespace nolens
