// A picture that tests and the scripts that made their expectations generate alike.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "nolens/media.h"

namespace nolens {

/// Bytes 24…31 of a linear congruential generator that starts at width * 65536 + height.
inline Image noise_image(std::int64_t width, std::int64_t height) {
  auto state = static_cast<std::uint32_t>(width * 65536 + height);
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(width * height * 3));
  for (std::uint8_t& value : rgb) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return Image::from_rgb8(width, height, std::move(rgb));
}

}  // namespace nolens
