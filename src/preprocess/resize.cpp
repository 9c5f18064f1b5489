// The reference resize: Keys' cubic, a = -1/2, stretched by the scale when shrinking (antialias),
// in 16-bit weights and 32-bit sums. Every rounding step below is part of the contract: the result
// equals the reference processor's byte for byte.
#include "preprocess/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"

namespace nolens {
namespace {

constexpr int kMaxPrecision = 22;     // the reference's, for 8-bit pixels
constexpr std::int64_t kTapUnit = 8;  // weights per output are padded: no remainder in the loop
constexpr std::int64_t kColumnBlock = 256;  // bytes summed at a time: the sums stay in the L1 cache

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

std::uint8_t to_pixel(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

std::int32_t rounding_term(int precision) {
  return precision == 0 ? 0 : 1 << (precision - 1);
}

std::vector<std::uint8_t> allocate_pixels(std::int64_t height, std::int64_t width) {
  const auto pixels = checked_mul(height, width);
  const auto bytes = pixels ? checked_mul(*pixels, 3) : std::nullopt;
  NOLENS_CHECK(bytes.has_value());
  return std::vector<std::uint8_t>(static_cast<std::size_t>(*bytes));
}

/// Two contiguous arrays: compilers turn this into 16-bit multiply-adds.
std::int32_t dot(const std::int16_t* values, const std::int16_t* weights, std::int64_t taps) {
  std::int32_t sum = 0;
  for (std::int64_t j = 0; j < taps; ++j) {
    sum += values[j] * weights[j];
  }
  return sum;
}

/// [height, n_in, 3] -> [height, n_out, 3].
std::vector<std::uint8_t> resize_rows(const std::uint8_t* pixels, std::int64_t height,
                                      std::int64_t n_in, const ResizeWeights& axis) {
  const auto n_out = static_cast<std::int64_t>(axis.first.size());
  std::vector<std::uint8_t> result = allocate_pixels(height, n_out);
  // One plane per channel, 16-bit, with room for the padded taps of the last output.
  const std::int64_t plane = n_in + axis.taps;
  std::vector<std::int16_t> planes(static_cast<std::size_t>(3 * plane));
  const std::int32_t half = rounding_term(axis.precision);
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* source = pixels + y * n_in * 3;
    for (std::int64_t x = 0; x < n_in; ++x) {
      planes[static_cast<std::size_t>(x)] = source[3 * x];
      planes[static_cast<std::size_t>(plane + x)] = source[3 * x + 1];
      planes[static_cast<std::size_t>(2 * plane + x)] = source[3 * x + 2];
    }
    std::uint8_t* target = result.data() + y * n_out * 3;
    for (std::int64_t i = 0; i < n_out; ++i) {
      const std::int16_t* weights = axis.weights.data() + i * axis.taps;
      const std::int16_t* values = planes.data() + axis.first[static_cast<std::size_t>(i)];
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const std::int32_t sum = half + dot(values + channel * plane, weights, axis.taps);
        target[3 * i + channel] = to_pixel(sum, axis.precision);
      }
    }
  }
  return result;
}

/// [n_in, row_bytes] -> [n_out, row_bytes].
std::vector<std::uint8_t> resize_columns(const std::uint8_t* pixels, std::int64_t width,
                                         const ResizeWeights& axis) {
  const auto n_out = static_cast<std::int64_t>(axis.first.size());
  std::vector<std::uint8_t> result = allocate_pixels(n_out, width);
  const std::int64_t row_size = width * 3;
  const std::int32_t half = rounding_term(axis.precision);
  std::array<std::int32_t, kColumnBlock> sums;
  for (std::int64_t i = 0; i < n_out; ++i) {
    const std::int64_t first = axis.first[static_cast<std::size_t>(i)];
    const std::int64_t count = axis.count[static_cast<std::size_t>(i)];
    const std::int16_t* weights = axis.weights.data() + i * axis.taps;
    std::uint8_t* target = result.data() + i * row_size;
    for (std::int64_t begin = 0; begin < row_size; begin += kColumnBlock) {
      const std::int64_t size = std::min(kColumnBlock, row_size - begin);
      std::fill_n(sums.begin(), size, half);
      for (std::int64_t j = 0; j < count; ++j) {
        const std::uint8_t* source = pixels + (first + j) * row_size + begin;
        const std::int32_t weight = weights[j];
        for (std::int64_t x = 0; x < size; ++x) {
          sums[static_cast<std::size_t>(x)] += source[x] * weight;
        }
      }
      for (std::int64_t x = 0; x < size; ++x) {
        target[begin + x] = to_pixel(sums[static_cast<std::size_t>(x)], axis.precision);
      }
    }
  }
  return result;
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

Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height) {
  NOLENS_CHECK(width > 0 && height > 0 && image.width() > 0 && image.height() > 0);
  const std::uint8_t* pixels = image.rgb().data();
  std::vector<std::uint8_t> rows;
  if (width != image.width()) {
    rows =
        resize_rows(pixels, image.height(), image.width(), bicubic_weights(image.width(), width));
    pixels = rows.data();
  }
  if (height != image.height()) {
    rows = resize_columns(pixels, width, bicubic_weights(image.height(), height));
    pixels = rows.data();
  }
  if (rows.empty()) {
    rows.assign(image.rgb().begin(), image.rgb().end());
  }
  return Image::from_rgb8(width, height, std::move(rows));
}

}  // namespace nolens
