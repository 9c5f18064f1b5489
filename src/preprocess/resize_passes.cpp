// The passes in plain C++, which compilers turn into 16-bit multiply-adds.
#include "preprocess/resize_passes.h"

#include <algorithm>
#include <array>

namespace nolens {
namespace {

constexpr std::int64_t kColumnBlock = 256;  // bytes summed at a time: the sums stay in the L1 cache

std::uint8_t to_pixel(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

std::int32_t rounding_term(int precision) {
  return precision == 0 ? 0 : 1 << (precision - 1);
}

std::int32_t dot(const std::int16_t* values, const std::int16_t* weights, std::int64_t taps) {
  std::int32_t sum = 0;
  for (std::int64_t j = 0; j < taps; ++j) {
    sum += values[j] * weights[j];
  }
  return sum;
}

void lines(const ResizeLines& a) noexcept {
  // One plane per channel, with room for the taps of the last output.
  const std::int64_t plane = a.axis.n_in + a.axis.taps;
  auto* planes = static_cast<std::int16_t*>(static_cast<void*>(a.scratch));
  std::fill_n(planes, 3 * plane, std::int16_t{0});
  const std::int32_t half = rounding_term(a.axis.precision);
  for (std::int64_t y = 0; y < a.rows; ++y) {
    const std::uint8_t* source = a.source + y * a.source_stride;
    for (std::int64_t x = 0; x < a.axis.n_in; ++x) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        planes[channel * plane + x] = source[3 * x + channel];
      }
    }
    std::uint8_t* target = a.target + y * a.target_stride;
    for (std::int64_t i = 0; i < a.axis.n_out; ++i) {
      const std::int16_t* weights = a.axis.weights + i * a.axis.taps;
      const std::int16_t* values = planes + a.axis.first[i];
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const std::int32_t sum = half + dot(values + channel * plane, weights, a.axis.taps);
        target[3 * i + channel] = to_pixel(sum, a.axis.precision);
      }
    }
  }
}

void column(const ResizeColumn& a) noexcept {
  const std::int32_t half = rounding_term(a.precision);
  std::array<std::int32_t, kColumnBlock> sums;
  for (std::int64_t begin = 0; begin < a.size; begin += kColumnBlock) {
    const std::int64_t size = std::min(kColumnBlock, a.size - begin);
    std::fill_n(sums.begin(), size, half);
    for (std::int64_t j = 0; j < a.count; ++j) {
      const std::uint8_t* source = a.source + j * a.source_stride + begin;
      const std::int32_t weight = a.weights[j];
      for (std::int64_t x = 0; x < size; ++x) {
        sums[static_cast<std::size_t>(x)] += source[x] * weight;
      }
    }
    for (std::int64_t x = 0; x < size; ++x) {
      a.target[begin + x] = to_pixel(sums[static_cast<std::size_t>(x)], a.precision);
    }
  }
}

}  // namespace

constinit const ResizePasses kPlainResizePasses{"plain", lines, column};

}  // namespace nolens
