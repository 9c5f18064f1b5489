#include "augment.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace nolens::train {

Image augment(const Image& image, const AugmentOptions& options, CounterRng& rng) {
  const std::int64_t width = image.width();
  const std::int64_t height = image.height();
  const bool mirror_x = options.symmetries && rng.chance(0.5);
  const bool mirror_y = options.symmetries && rng.chance(0.5);
  const bool transpose = options.symmetries && rng.chance(0.5) && width == height;
  const std::int64_t shift_x = rng.integer(-options.max_shift, options.max_shift);
  const std::int64_t shift_y = rng.integer(-options.max_shift, options.max_shift);
  const double gain = 1.0 + rng.uniform(-options.gain, options.gain);

  const auto source = image.rgb();
  std::vector<std::uint8_t> rgb(source.size());
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      std::int64_t from_x = std::clamp<std::int64_t>(x + shift_x, 0, width - 1);
      std::int64_t from_y = std::clamp<std::int64_t>(y + shift_y, 0, height - 1);
      if (mirror_x) {
        from_x = width - 1 - from_x;
      }
      if (mirror_y) {
        from_y = height - 1 - from_y;
      }
      if (transpose) {
        std::swap(from_x, from_y);
      }
      for (std::int64_t c = 0; c < 3; ++c) {
        const double value =
            gain * source[static_cast<std::size_t>((from_y * width + from_x) * 3 + c)];
        rgb[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
      }
    }
  }
  return Image::from_rgb8(width, height, std::move(rgb));
}

}  // namespace nolens::train
