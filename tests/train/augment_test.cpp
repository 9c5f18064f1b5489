#include "augment.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace nolens::train {
namespace {

Image numbered(std::int64_t width, std::int64_t height) {
  std::vector<std::uint8_t> rgb;
  for (std::int64_t i = 0; i < width * height * 3; ++i) {
    rgb.push_back(static_cast<std::uint8_t>(i));
  }
  return Image::from_rgb8(width, height, std::move(rgb));
}

std::vector<std::uint8_t> bytes(const Image& image) {
  return {image.rgb().begin(), image.rgb().end()};
}

TEST(Augment, WithoutOptionsThePictureStaysAsItIs) {
  const Image image = numbered(5, 3);
  CounterRng rng(1, 1);
  EXPECT_EQ(bytes(augment(image, {}, rng)), bytes(image));
}

TEST(Augment, SymmetriesKeepEveryPixelAndGiveAllEightPictures) {
  const Image image = numbered(4, 4);
  std::vector<std::vector<std::uint8_t>> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    CounterRng rng(7, i);
    std::vector<std::uint8_t> result = bytes(augment(image, {true, 0, 0.0}, rng));
    std::vector<std::uint8_t> sorted = result;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, bytes(image));
    if (std::find(seen.begin(), seen.end(), result) == seen.end()) {
      seen.push_back(std::move(result));
    }
  }
  EXPECT_EQ(seen.size(), 8U);
}

TEST(Augment, AWidePictureKeepsItsSides) {
  for (std::uint64_t i = 0; i < 50; ++i) {
    CounterRng rng(3, i);
    const Image result = augment(numbered(6, 2), {true, 1, 0.1}, rng);
    EXPECT_EQ(result.width(), 6);
    EXPECT_EQ(result.height(), 2);
  }
}

TEST(Augment, AShiftRepeatsTheBorder) {
  const Image flat = Image::from_rgb8(4, 4, std::vector<std::uint8_t>(48, 77));
  CounterRng rng(5, 5);
  EXPECT_EQ(bytes(augment(flat, {false, 3, 0.0}, rng)), bytes(flat));
}

}  // namespace
}  // namespace nolens::train
