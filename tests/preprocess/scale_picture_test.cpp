// Scaling first and cutting later gives what doing both at once gives.
#include "preprocess/scale_picture.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "platform/thread_pool.h"
#include "preprocess/noise_image.h"
#include "preprocess/resize.h"

namespace nolens {
namespace {

TEST(ScalePicture, IsTheResizeForAnyNumberOfThreads) {
  const Image image = noise_image(500, 300);
  for (const ImageSize size : {ImageSize{288, 480}, {1, 7}, {97, 33}, {300, 480}, {300, 500}}) {
    const Image expected = resize_bicubic(image, size.width, size.height);
    for (const int threads : {1, 2, 7}) {
      ThreadPool pool(threads);
      const Image scaled = scale_picture(image, size, &pool);
      ASSERT_EQ(scaled.rgb().size(), expected.rgb().size());
      EXPECT_TRUE(std::equal(scaled.rgb().begin(), scaled.rgb().end(), expected.rgb().begin()));
      EXPECT_EQ(source_size(scaled), (ImageSize{300, 500}));
    }
  }
}

TEST(ScalePicture, PatchesOfAScaledPictureAreThoseOfThePicture) {
  // 1900 x 50 becomes 2448 x 48; a picture that had that size from the start would become 2832
  // x 48.
  for (const auto& [width, height] : {std::pair{500, 300}, {1300, 901}, {1900, 50}}) {
    for (const PatchOrder order : {PatchOrder::kChannelsLast, PatchOrder::kChannelsFirst}) {
      VisionConfig vision;
      vision.patch_order = order;
      const Image image = noise_image(width, height);
      const PatchGrid direct = image_to_patches(image, vision, {}, 70, "p");
      const Image scaled = scale_picture(image, direct.used);
      const PatchGrid later = image_to_patches(scaled, vision, {}, 70, "p");
      EXPECT_EQ(later.used, direct.used);
      EXPECT_EQ(later.source, direct.source);
      ASSERT_EQ(later.pixels.size(), direct.pixels.size());
      EXPECT_TRUE(std::equal(later.pixels.span().begin(), later.pixels.span().end(),
                             direct.pixels.span().begin()))
          << width << " x " << height;
    }
  }
}

TEST(ScalePicture, AScaledPictureForAnotherBudgetGetsTheSizeOfItsSource) {
  const Image image = noise_image(1300, 901);
  const PatchGrid direct = image_to_patches(image, {}, {}, 280, "p");
  const Image small = scale_picture(image, processed_size({901, 1300}, {}, {}, 70, "p"));
  EXPECT_EQ(small.width(), 480);
  EXPECT_EQ(image_to_patches(small, {}, {}, 280, "p").used, direct.used);
}

}  // namespace
}  // namespace nolens
