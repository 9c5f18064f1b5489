// What all decoders share: limits and alpha.
#include "media/decoders.h"

#include "media/picture.h"

namespace nolens {
namespace {

TEST(CheckImageSize, AcceptsTheLimitsThemselvesAndNothingBeyond) {
  const ImageLimits limits{.max_pixels = 1000, .max_side = 100, .max_jpeg_scans = 1};
  const DecodeRequest request{{}, "picture", "PNG", limits, AlphaMode::kDrop};
  EXPECT_NO_THROW(check_image_size(request, 100, 10));
  const std::pair<std::int64_t, std::int64_t> refused[] = {
      {101, 1}, {1, 101}, {100, 11}, {32, 32}, {0, 5}, {5, 0}, {INT64_MAX, INT64_MAX}};
  for (const auto& [width, height] : refused) {
    EXPECT_THROW(check_image_size(request, width, height), Error) << width << "x" << height;
  }
}

TEST(CompositeOnWhite, MixesAndRoundsToNearest) {
  Pixels rgba{0, 100, 255, 0,     // transparent
              0, 100, 255, 255,   // opaque
              0, 100, 255, 128};  // 127, 177.19 and 255
  composite_on_white(rgba);
  EXPECT_EQ(rgba, (Pixels{255, 255, 255, 0, 100, 255, 127, 177, 255}));
}

}  // namespace
}  // namespace nolens
