// The integer resize: weights, a slow second implementation, and checksums of the reference's
// output.
#include "preprocess/resize.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "preprocess/fnv1a.h"
#include "preprocess/noise_image.h"

namespace nolens {
namespace {

std::vector<int> weights_of(const ResizeWeights& axis, std::size_t output) {
  const auto taps = static_cast<std::size_t>(axis.taps);
  std::vector<int> result;
  for (std::size_t j = 0; j < static_cast<std::size_t>(axis.count[output]); ++j) {
    result.push_back(axis.weights[output * taps + j]);
  }
  while (!result.empty() && result.back() == 0) {
    result.pop_back();  // a tap at the very edge of the filter
  }
  return result;
}

TEST(BicubicWeights, OfDoublingFourPixelsAreTheReferences) {
  const ResizeWeights axis = bicubic_weights(4, 8);
  EXPECT_EQ(axis.precision, 14);
  EXPECT_EQ(axis.first[0], 0);
  EXPECT_EQ(weights_of(axis, 0), (std::vector<int>{17830, -1446}));
  EXPECT_EQ(weights_of(axis, 1), (std::vector<int>{13275, 3468, -359}));
  EXPECT_EQ(weights_of(axis, 3), (std::vector<int>{-1152, 14208, 3712, -384}));
}

TEST(BicubicWeights, OfHalvingEightPixelsAreTheReferences) {
  const ResizeWeights axis = bicubic_weights(8, 4);
  EXPECT_EQ(axis.precision, 16);
  EXPECT_EQ(weights_of(axis, 0), (std::vector<int>{30437, 30437, 7952, -2468, -823}));
  EXPECT_EQ(axis.first[2], 1);
  EXPECT_EQ(weights_of(axis, 2), (std::vector<int>{-759, -2277, 7338, 28087, 28087, 7338, -2277}));
}

TEST(BicubicWeights, OfACommonPictureSizeAreTheReferences) {
  const ResizeWeights axis = bicubic_weights(448, 768);
  EXPECT_EQ(axis.precision, 14);
  EXPECT_EQ(weights_of(axis, 0), (std::vector<int>{17658, -1274}));
  EXPECT_EQ(weights_of(axis, 3), (std::vector<int>{-932, 8272, 10146, -1102}));
}

TEST(BicubicWeights, StayInsideTheLineAndAddUpToOne) {
  for (const auto& [n_in, n_out] : {std::pair{1, 1},
                                    {1, 48},
                                    {2, 1},
                                    {7, 3},
                                    {3, 7},
                                    {4032, 912},
                                    {65'535, 3},
                                    {3, 20'000},
                                    {1000, 999}}) {
    const ResizeWeights axis = bicubic_weights(n_in, n_out);
    ASSERT_EQ(axis.first.size(), static_cast<std::size_t>(n_out));
    for (std::size_t i = 0; i < axis.first.size(); ++i) {
      ASSERT_GE(axis.first[i], 0);
      ASSERT_GE(axis.count[i], 1);
      ASSERT_LE(axis.first[i] + axis.count[i], n_in);
      ASSERT_LE(axis.count[i], axis.taps);
      int sum = 0;
      for (const int weight : weights_of(axis, i)) {
        sum += weight;
      }
      // Each weight is off by at most one half.
      ASSERT_NEAR(sum, 1 << axis.precision, 0.5 * static_cast<double>(axis.count[i]) + 1e-9)
          << n_in << " -> " << n_out << ", output " << i;
    }
  }
}

/// One axis of `image`, pixel by pixel, straight from the definition.
Image slow_axis(const Image& image, std::int64_t n_out, bool horizontal) {
  const std::int64_t n_in = horizontal ? image.width() : image.height();
  const ResizeWeights axis = bicubic_weights(n_in, n_out);
  const std::int64_t width = horizontal ? n_out : image.width();
  const std::int64_t height = horizontal ? image.height() : n_out;
  std::vector<std::uint8_t> rgb;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const auto out = static_cast<std::size_t>(horizontal ? x : y);
        const std::vector<int> weights = weights_of(axis, out);
        double sum = 0.0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
          const std::int64_t in = axis.first[out] + static_cast<std::int64_t>(j);
          const std::int64_t source = horizontal ? y * n_in + in : in * width + x;
          sum += image.rgb()[static_cast<std::size_t>(source * 3 + channel)] * weights[j];
        }
        const double value = std::floor(sum / std::exp2(axis.precision) + 0.5);
        rgb.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
      }
    }
  }
  return Image::from_rgb8(width, height, rgb);
}

bool same_pixels(const Image& a, const Image& b) {
  return std::equal(a.rgb().begin(), a.rgb().end(), b.rgb().begin(), b.rgb().end());
}

/// Every set of passes that this machine runs.
class ResizeBicubic : public ::testing::TestWithParam<const ResizePasses*> {
 protected:
  static Image resized(const Image& image, std::int64_t width, std::int64_t height) {
    return resize_bicubic(image, width, height, *GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Passes, ResizeBicubic, ::testing::ValuesIn(runnable_resize_passes()),
                         [](const auto& instance) { return std::string(instance.param->name); });

TEST_P(ResizeBicubic, EqualsTheDefinitionHorizontallyFirst) {
  for (const auto& [w, h, new_w, new_h] : {std::tuple{1, 1, 3, 2},
                                           {1, 1, 48, 48},
                                           {2, 1, 1, 5},
                                           {1, 900, 2, 7},
                                           {900, 1, 7, 2},
                                           {1200, 3, 1, 1},
                                           {10, 11, 11, 10},
                                           {64, 33, 63, 32},
                                           {5, 4, 5, 4},
                                           {5, 4, 9, 4},
                                           {5, 4, 5, 3},
                                           {90, 70, 31, 100},
                                           {33, 120, 200, 17},
                                           {300, 2, 48, 48}}) {
    const Image image = noise_image(w, h);
    const Image found = resized(image, new_w, new_h);
    Image expected = new_w == w ? image : slow_axis(image, new_w, true);
    expected = new_h == h ? expected : slow_axis(expected, new_h, false);
    EXPECT_EQ(found.width(), new_w);
    EXPECT_EQ(found.height(), new_h);
    EXPECT_TRUE(same_pixels(found, expected))
        << w << " x " << h << " -> " << new_w << " x " << new_h;
  }
}

TEST_P(ResizeBicubic, EqualsTheDefinitionForManySizes) {
  std::mt19937 random(31);
  const auto side = [&random] {
    return std::uniform_int_distribution<std::int64_t>(1, 90)(random);
  };
  for (int i = 0; i < 150; ++i) {
    const Image image = noise_image(side(), side());
    const std::int64_t width = side();
    const std::int64_t height = side();
    Image expected = width == image.width() ? image : slow_axis(image, width, true);
    expected = height == image.height() ? expected : slow_axis(expected, height, false);
    ASSERT_TRUE(same_pixels(resized(image, width, height), expected))
        << image.width() << " x " << image.height() << " -> " << width << " x " << height;
  }
}

TEST_P(ResizeBicubic, BlackAndWhiteReachTheLargestSums) {
  // Windows of 255 under positive and 0 under negative weights, and the other way round.
  for (const int phase : {0, 1, 2, 3}) {
    std::vector<std::uint8_t> rgb;
    for (int i = 0; i < 96 * 96 * 3; ++i) {
      const int x = i / 3 % 96;
      const int y = i / 3 / 96;
      rgb.push_back(((x + phase) / 4 + y / 4) % 2 == 0 ? 255 : 0);
    }
    const Image image = Image::from_rgb8(96, 96, rgb);
    for (const auto& [width, height] : {std::pair{97, 95}, {48, 48}, {24, 200}, {191, 11}}) {
      ASSERT_TRUE(same_pixels(resized(image, width, height),
                              slow_axis(slow_axis(image, width, true), height, false)))
          << phase << " -> " << width << " x " << height;
    }
  }
}

TEST_P(ResizeBicubic, BandsInAnyOrderAreTheWhole) {
  for (const auto& [w, h, new_w, new_h] :
       {std::tuple{61, 200, 33, 97}, {61, 97, 33, 97}, {33, 200, 33, 97}, {20, 5, 33, 97}}) {
    const Image image = noise_image(w, h);
    const Image whole = resized(image, new_w, new_h);
    const BicubicResize resize(image, new_w, new_h, *GetParam());
    BicubicResize::Scratch scratch;
    std::vector<std::uint8_t> bands(whole.rgb().size());
    for (const auto& [begin, end] : {std::pair{50, 97}, {0, 1}, {7, 50}, {1, 7}, {97, 97}}) {
      resize.lines(begin, end, scratch, bands.data() + begin * new_w * 3);
    }
    EXPECT_TRUE(std::equal(bands.begin(), bands.end(), whole.rgb().begin()))
        << w << " x " << h << " -> " << new_w << " x " << new_h;
  }
}

TEST_P(ResizeBicubic, LinesMayGoToPlacesInPieces) {
  // Pieces of 5 pixels, 60 bytes apart, of lines that are 20 bytes apart: 3 lines of 7 pieces.
  for (const auto& [w, h] : {std::pair{61, 200}, {35, 200}, {61, 9}, {35, 9}}) {
    const Image image = noise_image(w, h);
    const Image whole = resized(image, 35, 9);
    const BicubicResize resize(image, 35, 9, *GetParam());
    BicubicResize::Scratch scratch;
    std::vector<std::uint8_t> places(7 * 60, 99);
    resize.lines(4, 7, scratch, {places.data(), 20, 15, 60});
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::size_t byte = i % 20;
      const std::size_t at = ((4 + i % 60 / 20) * 35 + i / 60 * 5) * 3 + byte;
      ASSERT_EQ(places[i], byte < 15 ? whole.rgb()[at] : 99) << w << " x " << h << ", byte " << i;
    }
  }
}

TEST_P(ResizeBicubic, IsByteForByteTheReferences) {
  // torchvision 0.24.1, transforms.v2.functional.resize, bicubic, antialias, uint8 on a CPU.
  struct Frozen {
    int width, height, new_width, new_height;
    std::uint64_t hash;
  };
  const Frozen frozen[] = {
      {37, 23, 61, 80, 0x3FB0C1EC0E02E935U}, {61, 80, 37, 23, 0xDF0C93E6B3DE5317U},
      {200, 3, 48, 48, 0x2EDB4C87BC7BC128U}, {64, 48, 64, 96, 0x18CCCF0AE42E72C4U},
      {64, 48, 16, 48, 0x49B0B4C6EA64C669U}, {1, 1, 5, 7, 0x10FC23B5256D6B8FU},
      {500, 400, 7, 3, 0x2EB3C3344E80C471U},
  };
  for (const Frozen& row : frozen) {
    const Image image = resized(noise_image(row.width, row.height), row.new_width, row.new_height);
    EXPECT_EQ(fnv1a(std::as_bytes(image.rgb())), row.hash)
        << row.width << " x " << row.height << " -> " << row.new_width << " x " << row.new_height;
  }
}

TEST_P(ResizeBicubic, KeepsAFlatColourAndClampsAtTheEnds) {
  const Image flat = Image::from_rgb8(9, 9, std::vector<std::uint8_t>(9 * 9 * 3, 255));
  const Image large = resized(flat, 50, 3);
  EXPECT_TRUE(std::all_of(large.rgb().begin(), large.rgb().end(),
                          [](std::uint8_t value) { return value == 255; }));
  // Black beside white overshoots on both sides; values must not wrap around.
  std::vector<std::uint8_t> edge(8 * 3, 0);
  std::fill(edge.begin() + 12, edge.end(), std::uint8_t{255});
  const Image wide = resized(Image::from_rgb8(8, 1, edge), 64, 1);
  EXPECT_TRUE(std::is_sorted(wide.rgb().begin(), wide.rgb().begin() + 3 * 28));
  EXPECT_EQ(wide.rgb()[3 * 26], 0);
  EXPECT_EQ(wide.rgb()[3 * 37], 255);
}

}  // namespace
}  // namespace nolens
