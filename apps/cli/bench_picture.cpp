#include "bench_picture.h"

#include <cstdint>
#include <utility>

#include "nolens/media.h"

namespace nolens::cli {

std::vector<std::byte> make_bench_picture() {
  constexpr std::int64_t kPictureWidth = 4000;
  constexpr std::int64_t kPictureHeight = 3000;
  constexpr int kQuality = 90;
  constexpr std::int64_t kTile = 250;  // pixels; tiles meet at edges
  std::vector<std::uint8_t> rgb;
  rgb.reserve(static_cast<std::size_t>(kPictureWidth * kPictureHeight * 3));
  std::uint32_t noise = 1;
  for (std::int64_t y = 0; y < kPictureHeight; ++y) {
    for (std::int64_t x = 0; x < kPictureWidth; ++x) {
      noise = noise * 1664525U + 1013904223U;  // Knuth's example, as in Numerical Recipes
      const auto grain = static_cast<std::int64_t>(noise >> 28U);
      const std::int64_t tile = x / kTile * 37 + y / kTile * 91;
      rgb.push_back(static_cast<std::uint8_t>((x * 180 / kPictureWidth + tile % 61 + grain) % 256));
      rgb.push_back(
          static_cast<std::uint8_t>((y * 180 / kPictureHeight + tile % 53 + grain) % 256));
      rgb.push_back(static_cast<std::uint8_t>((tile % 190 + grain) % 256));
    }
  }
  return encode_jpeg(Image::from_rgb8(kPictureWidth, kPictureHeight, std::move(rgb)), kQuality);
}

}  // namespace nolens::cli
