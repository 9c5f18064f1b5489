// The reference resize: Keys' cubic, a = -1/2, stretched by the scale when shrinking (antialias),
// in 16-bit weights and 32-bit sums. Every rounding step below is part of the contract: the result
// equals the reference processor's byte for byte.
#include "preprocess/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/check.h"
#include "core/checked_math.h"
#include "platform/cpu_features.h"

namespace nolens {
namespace {

constexpr int kMaxPrecision = 22;     // the reference's, for 8-bit pixels
constexpr std::int64_t kTapUnit = 4;  // weights per output are padded: no remainder in the loop

/// Keys 1981, eq. 15, with a = -1/2, in the reference's order of operations.
double keys_cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  }
  if (x < 2.0) {
    return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  }
  return 0.0;
}

/// Most bits with which the largest weight still fits 16 signed bits.
int weight_precision(double largest) {
  for (int precision = 0; precision < kMaxPrecision; ++precision) {
    const auto next =
        static_cast<std::int64_t>(0.5 + largest * static_cast<double>(1 << (precision + 1)));
    if (next >= (1 << 15)) {
      return precision;
    }
  }
  return kMaxPrecision;
}

/// Rounds half away from zero, as the reference does.
std::int16_t to_fixed_point(double weight, int precision) {
  const double scaled = weight * static_cast<double>(1 << precision);
  return static_cast<std::int16_t>(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

/// [height, width, 3], of a checked size.
std::int64_t pixel_bytes(std::int64_t height, std::int64_t width) {
  const auto pixels = checked_mul(height, width);
  const auto bytes = pixels ? checked_mul(*pixels, 3) : std::nullopt;
  NOLENS_CHECK(bytes.has_value());
  return *bytes;
}

std::uint8_t* grown(AlignedBuffer<std::uint8_t>& buffer, std::int64_t size) {
  if (buffer.size() < size) {
    buffer = AlignedBuffer<std::uint8_t>(size, Unset{});
  }
  return buffer.data();
}

/// Of ResizeLines: three planes of 16-bit pixels.
std::int64_t resize_scratch_size(const ResizeAxis& axis) {
  const auto bytes = checked_mul(axis.n_in + 2 * axis.taps + 8, 8);
  NOLENS_CHECK(bytes.has_value());
  return *bytes;
}

std::vector<const ResizePasses*> find_runnable_passes() {
  std::vector<const ResizePasses*> passes;
#ifdef NOLENS_HAVE_AVX2_RESIZE
  if (cpu_features().avx2) {
    passes.push_back(&kAvx2ResizePasses);
  }
#endif
  passes.push_back(&kPlainResizePasses);
  return passes;
}

}  // namespace

ResizeWeights bicubic_weights(std::int64_t n_in, std::int64_t n_out) {
  NOLENS_CHECK(n_in > 0 && n_out > 0);
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double support = scale >= 1.0 ? 2.0 * scale : 2.0;
  const double inverse = scale >= 1.0 ? 1.0 / scale : 1.0;
  const std::int64_t max_count = 2 * static_cast<std::int64_t>(std::ceil(support)) + 1;

  ResizeWeights result;
  result.taps = round_up(std::min(max_count, n_in), kTapUnit);
  const auto size = checked_mul(n_out, result.taps);
  NOLENS_CHECK(size.has_value());
  result.first.resize(static_cast<std::size_t>(n_out));
  result.count.resize(static_cast<std::size_t>(n_out));
  std::vector<double> real(static_cast<std::size_t>(*size));
  double largest = 0.0;
  for (std::int64_t i = 0; i < n_out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    const std::int64_t first =
        std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const std::int64_t end = std::min(static_cast<std::int64_t>(centre + support + 0.5), n_in);
    const std::int64_t count = std::clamp<std::int64_t>(end - first, 0, max_count);
    result.first[static_cast<std::size_t>(i)] = first;
    result.count[static_cast<std::size_t>(i)] = count;
    double* weights = real.data() + i * result.taps;
    double total = 0.0;
    for (std::int64_t j = 0; j < count; ++j) {
      weights[j] = keys_cubic((static_cast<double>(j + first) - centre + 0.5) * inverse);
      total += weights[j];
    }
    for (std::int64_t j = 0; j < count; ++j) {
      if (total != 0.0) {
        weights[j] /= total;
      }
      largest = std::max(largest, weights[j]);
    }
  }

  result.precision = weight_precision(largest);
  result.weights.resize(real.size());
  std::transform(real.begin(), real.end(), result.weights.begin(),
                 [&](double weight) { return to_fixed_point(weight, result.precision); });
  return result;
}

const std::vector<const ResizePasses*>& runnable_resize_passes() {
  static const std::vector<const ResizePasses*> passes = find_runnable_passes();
  return passes;
}

BicubicResize::BicubicResize(const Image& image, std::int64_t width, std::int64_t height,
                             const ResizePasses& passes)
    : image_(image),
      width_(width),
      passes_(passes),
      has_horizontal_(width != image.width()),
      has_vertical_(height != image.height()) {
  NOLENS_CHECK(width > 0 && height > 0 && image.width() > 0 && image.height() > 0);
  if (has_vertical_) {
    vertical_ = bicubic_weights(image.height(), height);
  }
  if (!has_horizontal_) {
    return;
  }
  horizontal_ = bicubic_weights(image.width(), width);
  axis_ = {image.width(),
           width,
           horizontal_.taps,
           horizontal_.first.data(),
           horizontal_.weights.data(),
           horizontal_.precision};
}

/// Lines [begin, end) of the source at their new width, in the scratch; without a new width where
/// they lie.
const std::uint8_t* BicubicResize::narrowed(std::int64_t begin, std::int64_t end,
                                            Scratch& scratch) const {
  const std::int64_t stride = image_.width() * 3;
  const std::uint8_t* source = image_.rgb().data() + begin * stride;
  if (!has_horizontal_) {
    return source;
  }
  std::uint8_t* line = grown(scratch.line, resize_scratch_size(axis_));
  std::uint8_t* rows = grown(scratch.lines, pixel_bytes(end - begin, width_));
  passes_.lines({axis_, source, stride, rows, width_ * 3, end - begin, line});
  return rows;
}

void BicubicResize::lines(std::int64_t begin, std::int64_t end, Scratch& scratch,
                          const LineTarget& target) const {
  const std::int64_t height =
      has_vertical_ ? static_cast<std::int64_t>(vertical_.first.size()) : image_.height();
  const std::int64_t row_size = width_ * 3;
  NOLENS_CHECK(begin >= 0 && begin <= end && end <= height && row_size % target.piece == 0);
  if (begin == end) {
    return;
  }
  std::int64_t top = begin;
  std::int64_t bottom = end;
  if (has_vertical_) {  // windows move downwards only
    const auto last = static_cast<std::size_t>(end - 1);
    top = vertical_.first[static_cast<std::size_t>(begin)];
    bottom = vertical_.first[last] + vertical_.count[last];
  }
  const std::uint8_t* source = narrowed(top, bottom, scratch);
  for (std::int64_t y = begin; y < end; ++y) {
    const auto i = static_cast<std::size_t>(y);
    const std::uint8_t* window =
        source + ((has_vertical_ ? vertical_.first[i] : y) - top) * row_size;
    std::uint8_t* to = target.data + (y - begin) * target.line_stride;
    for (std::int64_t x = 0; x < row_size; x += target.piece, to += target.piece_stride) {
      if (has_vertical_) {
        passes_.column({window + x, row_size, vertical_.count[i],
                        vertical_.weights.data() + y * vertical_.taps, vertical_.precision,
                        target.piece, to});
      } else {
        std::copy_n(window + x, target.piece, to);
      }
    }
  }
}

Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height,
                     const ResizePasses& passes) {
  const BicubicResize resize(image, width, height, passes);
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(pixel_bytes(height, width)));
  BicubicResize::Scratch scratch;
  resize.lines(0, height, scratch, rgb.data());
  return Image::from_rgb8(width, height, std::move(rgb));
}

}  // namespace nolens
