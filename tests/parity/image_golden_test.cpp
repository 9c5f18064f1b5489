// Decoded pictures of every kind against Pillow's, pixel for pixel (tests/golden/images).
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "parity/golden_json.h"

namespace nolens {
namespace {

using testing::fnv1a64;
using testing::golden_folder;
using testing::golden_image;
using testing::golden_json;

const Json& golden() {
  static const Json json = golden_json("images");
  return json;
}

class ImageGolden : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ImageGolden, DecodesToPillowsPixels) {
  const Json& entry = golden().at("pictures").at(GetParam());
  const std::string file = entry.at("file");
  const Image image = golden_image(golden_folder("images") / "inputs" / file);
  ASSERT_EQ(image.width(), entry.at("width").get<std::int64_t>()) << file;
  ASSERT_EQ(image.height(), entry.at("height").get<std::int64_t>()) << file;
  if (fnv1a64(std::as_bytes(image.rgb())) == entry.at("rgb_fnv1a64")) {
    return;
  }
  const Image expected =
      golden_image(golden_folder("images") / "expected" / entry.at("expected").get<std::string>());
  int largest = 0;
  std::size_t differing = 0;
  for (std::size_t i = 0; i < expected.rgb().size(); ++i) {
    const int difference = std::abs(int{image.rgb()[i]} - int{expected.rgb()[i]});
    largest = std::max(largest, difference);
    differing += difference != 0 ? 1U : 0U;
  }
  ADD_FAILURE() << file << ": " << differing << " of " << expected.rgb().size()
                << " samples differ, by at most " << largest;
}

std::string test_name(const ::testing::TestParamInfo<std::size_t>& info) {
  std::string name = golden().at("pictures").at(info.param).at("file");
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ImageGolden,
                         ::testing::Range(std::size_t{0}, golden().at("pictures").size()),
                         test_name);

}  // namespace
}  // namespace nolens
