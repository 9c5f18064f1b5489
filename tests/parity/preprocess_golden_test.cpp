// Sizes, resize weights, resized pixels and patches against tests/golden/preprocess: all exact.
#include <algorithm>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "parity/golden_json.h"
#include "preprocess/image_to_patches.h"
#include "preprocess/resize.h"

namespace nolens {
namespace {

using testing::fnv1a64;
using testing::golden_folder;
using testing::golden_image;
using testing::golden_json;

const Json& golden() {
  static const Json json = golden_json("preprocess");
  return json;
}

VisionConfig released_geometry() {
  VisionConfig vision;
  vision.patch_size = golden().at("patch_size");
  vision.pooling_kernel_size = golden().at("pooling_kernel_size");
  return vision;
}

/// The picture that hash_picture() of tests/reference/common.py makes.
Image formula_picture(std::int64_t height, std::int64_t width, std::uint32_t seed) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(static_cast<std::size_t>(height * width * 3));
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t ramp = (x * 255 / std::max<std::int64_t>(width - 1, 1) +
                                 y * 255 / std::max<std::int64_t>(height - 1, 1)) /
                                2;
      for (std::uint32_t channel = 0; channel < 3; ++channel) {
        std::uint32_t v = static_cast<std::uint32_t>(x) * 374761393U +
                          static_cast<std::uint32_t>(y) * 668265263U + channel * 2246822519U +
                          seed * 3266489917U;
        v = (v ^ (v >> 13U)) * 1274126177U;
        v ^= v >> 16U;
        rgb.push_back(
            static_cast<std::uint8_t>((static_cast<std::int64_t>(v & 255U) + 3 * ramp) / 4));
      }
    }
  }
  return Image::from_rgb8(width, height, std::move(rgb));
}

Image picture_of(const Json& entry) {
  if (entry.contains("file")) {
    return golden_image(golden_folder("preprocess") / entry.at("file").get<std::string>());
  }
  return formula_picture(entry.at("height"), entry.at("width"), entry.at("formula_seed"));
}

TEST(PreprocessGolden, SizesOfTheReleasedGeometryAreTheReferences) {
  for (const Json& row : golden().at("sizes")) {
    const ImageSize source{row.at(0), row.at(1)};
    const ImageSize used =
        processed_size(source, released_geometry(), ImageProcessorConfig{}, row.at(2), "picture");
    EXPECT_EQ(used, (ImageSize{row.at(3), row.at(4)})) << row.dump();
    EXPECT_EQ(used.height / 48 * (used.width / 48), row.at(5).get<std::int64_t>()) << row.dump();
  }
}

TEST(PreprocessGolden, SizesOfOtherGeometriesAreTheReferencesOrRefused) {
  int refused = 0;
  for (const Json& row : golden().at("generic_sizes")) {
    const auto compute = [&row] {
      return target_image_size({row.at("height"), row.at("width")}, row.at("patch_size"),
                               row.at("max_patches"), row.at("pooling_kernel_size"), "picture");
    };
    if (row.at("target").is_null()) {
      EXPECT_THROW(compute(), Error) << row.dump();
      ++refused;
    } else {
      EXPECT_EQ(compute(), (ImageSize{row.at("target").at(0), row.at("target").at(1)}))
          << row.dump();
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(PreprocessGolden, ResizeWeightsAreTheReferences) {
  for (const Json& entry : golden().at("weights")) {
    const std::int64_t n_in = entry.at("n_in");
    const std::int64_t n_out = entry.at("n_out");
    SCOPED_TRACE(std::to_string(n_in) + " to " + std::to_string(n_out));
    const ResizeWeights weights = bicubic_weights(n_in, n_out);
    EXPECT_EQ(weights.precision, entry.at("precision").get<int>());
    ASSERT_EQ(weights.first, entry.at("first").get<std::vector<std::int64_t>>());
    for (std::size_t i = 0; i < weights.first.size(); ++i) {
      const auto expected = entry.at("weights").at(i).get<std::vector<std::int16_t>>();
      ASSERT_EQ(weights.count[i], static_cast<std::int64_t>(expected.size())) << "output " << i;
      const auto row = weights.weights.begin() +
                       static_cast<std::ptrdiff_t>(i) * static_cast<std::ptrdiff_t>(weights.taps);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), row)) << "output " << i;
    }
  }
}

class PreprocessPicture : public ::testing::TestWithParam<std::size_t> {};

TEST_P(PreprocessPicture, PixelsAndPatchesAreTheReferencesBitForBit) {
  const Json& entry = golden().at("pictures").at(GetParam());
  SCOPED_TRACE(entry.at("name").get<std::string>());
  const Image image = picture_of(entry);
  ASSERT_EQ(fnv1a64(std::as_bytes(image.rgb())), entry.at("source_fnv1a64")) << "the source itself";
  for (const Json& result : entry.at("results")) {
    SCOPED_TRACE("budget " + result.at("budget").dump());
    const Image resized = resize_bicubic(image, result.at("used_width"), result.at("used_height"));
    const auto first = result.at("resized_first").get<std::vector<std::uint8_t>>();
    EXPECT_TRUE(std::equal(first.begin(), first.end(), resized.rgb().begin()));
    EXPECT_EQ(fnv1a64(std::as_bytes(resized.rgb())), result.at("resized_fnv1a64"));

    const PatchGrid grid = image_to_patches(image, released_geometry(), ImageProcessorConfig{},
                                            result.at("budget"), "picture");
    EXPECT_EQ(grid.num_patches(), result.at("tokens").get<std::int64_t>());
    const AlignedBuffer<float> buffer = grid.values();
    const std::span<const float> values = buffer.span();
    EXPECT_EQ(values.front(), result.at("patches_first").at(0).get<float>());
    EXPECT_EQ(values.back(), result.at("patches_last").back().get<float>());
    EXPECT_EQ(fnv1a64(std::as_bytes(values)), result.at("patches_fnv1a64"));
  }
}

std::string test_name(const ::testing::TestParamInfo<std::size_t>& info) {
  return golden().at("pictures").at(info.param).at("name");
}

INSTANTIATE_TEST_SUITE_P(All, PreprocessPicture,
                         ::testing::Range(std::size_t{0}, golden().at("pictures").size()),
                         test_name);

}  // namespace
}  // namespace nolens
