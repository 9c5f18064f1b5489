// Sizes by the reference's rule, patches in the reference's order and values.
#include "preprocess/image_to_patches.h"

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "platform/thread_pool.h"
#include "preprocess/fnv1a.h"
#include "preprocess/noise_image.h"
#include "preprocess/resize.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

void expect_error(const std::function<void()>& action, ErrorCode code, const std::string& text) {
  try {
    action();
    FAIL() << "expected an error that mentions '" << text << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

/// Tokens and size of a picture under the released processor's rule.
struct Used {
  std::int64_t height, width, tokens;
  bool operator==(const Used&) const = default;
};
void PrintTo(const Used& used, std::ostream* out) {
  *out << used.height << " x " << used.width << ", " << used.tokens << " tokens";
}

Used used_size(std::int64_t height, std::int64_t width, std::int64_t budget) {
  const ImageSize size = processed_size({height, width}, {}, {}, budget, "picture");
  return {size.height, size.width, size.height / 48 * (size.width / 48)};
}

TEST(ProcessedSize, IsTheReferencesForEveryBudget) {
  const std::int64_t budgets[] = {70, 140, 280, 560, 1120};
  struct Row {
    std::int64_t height, width;
    Used used[5];
  };
  const Row rows[] = {
      {500,
       500,
       {{384, 384, 64}, {528, 528, 121}, {768, 768, 256}, {1104, 1104, 529}, {1584, 1584, 1089}}},
      {3,
       3,
       {{384, 384, 64}, {528, 528, 121}, {768, 768, 256}, {1104, 1104, 529}, {1584, 1584, 1089}}},
      {480,
       640,
       {{336, 432, 63}, {480, 624, 130}, {672, 912, 266}, {960, 1296, 540}, {1344, 1824, 1064}}},
      {3024,
       4032,
       {{336, 432, 63}, {480, 624, 130}, {672, 912, 266}, {960, 1296, 540}, {1344, 1824, 1064}}},
      {1080,
       1920,
       {{288, 528, 66}, {384, 720, 120}, {576, 1056, 264}, {816, 1488, 527}, {1200, 2112, 1100}}},
      {10,
       3000,
       {{48, 3360, 70}, {48, 6720, 140}, {48, 13440, 280}, {48, 19632, 409}, {48, 27792, 579}}},
      {3000,
       10,
       {{3360, 48, 70}, {6720, 48, 140}, {13440, 48, 280}, {19632, 48, 409}, {27792, 48, 579}}},
  };
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(used_size(row.height, row.width, budgets[i]), row.used[i])
          << row.height << " x " << row.width << ", budget " << budgets[i];
    }
  }
}

TEST(TargetImageSize, PassesTheReferencesOwnTestVectors) {
  struct Vector {
    std::int64_t patch, max_patches, pooling;
    ImageSize source, target;
  };
  const Vector vectors[] = {
      {16, 256, 1, {256, 256}, {256, 256}},  {16, 256, 1, {512, 512}, {256, 256}},
      {10, 200, 1, {50, 10000}, {10, 2000}}, {10, 200, 1, {25, 10000}, {10, 2000}},
      {10, 200, 1, {25, 20000}, {10, 2000}}, {16, 2304, 6, {2785, 34}, {6144, 96}},
      {4, 64, 2, {50, 1000}, {8, 128}},      {5, 100, 3, {100, 100}, {45, 45}},
      {5, 20, 3, {5, 100}, {15, 30}},
  };
  for (const Vector& v : vectors) {
    const ImageSize found =
        target_image_size(v.source, v.patch, v.max_patches, v.pooling, "picture");
    EXPECT_EQ(found, v.target) << v.source.height << " x " << v.source.width << " gave "
                               << found.height << " x " << found.width;
  }
}

TEST(TargetImageSize, StaysInBudgetAndOnTheGridForAnyShape) {
  for (std::int64_t height = 1; height < 70'000; height = height * 5 / 3 + 1) {
    for (std::int64_t width = 1; width < 70'000; width = width * 7 / 5 + 1) {
      for (const std::int64_t budget : kSoftTokenBudgets) {
        const Used used = used_size(height, width, budget);
        ASSERT_EQ(used.height % 48, 0);
        ASSERT_EQ(used.width % 48, 0);
        ASSERT_GE(used.tokens, 1) << height << " x " << width;
        ASSERT_LE(used.tokens, budget) << height << " x " << width;
      }
    }
  }
}

TEST(TargetImageSize, RefusesWhatTheReferenceRefuses) {
  expect_error(
      [] {
        target_image_size({10, 10}, 16, 8, 3, "a\x01");
      },
      ErrorCode::kInput, "a\\x01: 10 x 10 pixels would be scaled to nothing");
  expect_error([] { target_image_size({0, 10}, 16, 630, 3, "a"); }, ErrorCode::kInput, "a: ");
  expect_error(
      [] {
        target_image_size({INT64_MAX, 3}, 16, 630, 3, "a");
      },
      ErrorCode::kInput, "a: ");
}

TEST(ProcessedSize, TakesTheProcessorsBudgetUnlessOneIsGiven) {
  ImageProcessorConfig processor;
  processor.max_soft_tokens = 70;
  EXPECT_EQ(processed_size({100, 100}, {}, processor, 0, "p"), (ImageSize{384, 384}));
  EXPECT_EQ(processed_size({100, 100}, {}, processor, 280, "p"), (ImageSize{768, 768}));
}

TEST(ProcessedSize, RefusesOtherBudgetsByName) {
  for (const std::int64_t budget : {-1, 1, 69, 71, 256, 1121}) {
    expect_error(
        [&] {
          processed_size({100, 100}, {}, {}, budget, "p");
        },
        ErrorCode::kUsage, "choose one of 70, 140, 280, 560, 1120");
  }
}

TEST(ProcessedSize, OfAFixedSizeModelIsThatSize) {
  ImageProcessorConfig processor;
  processor.fixed_height = 448;
  processor.fixed_width = 336;
  EXPECT_EQ(processed_size({5, 1000}, {}, processor, 0, "p"), (ImageSize{448, 336}));
  expect_error([&] { processed_size({0, 3}, {}, processor, 0, "p"); }, ErrorCode::kInput, "p: ");
}

TEST(ImageToPatches, CutsRowsOfPatchesInReadingOrder) {
  const Image image = noise_image(500, 300);
  const PatchGrid grid = image_to_patches(image, {}, {}, 70, "p");
  EXPECT_EQ(grid.source, (ImageSize{300, 500}));
  EXPECT_EQ(grid.used, (ImageSize{288, 480}));
  EXPECT_EQ(grid.grid_width, 10);
  EXPECT_EQ(grid.grid_height, 6);
  EXPECT_EQ(grid.patch_values, 6912);
  EXPECT_EQ(grid.rows().rows, 60);
  const Image scaled = resize_bicubic(image, 480, 288);
  for (std::int64_t y = 0; y < 288; ++y) {
    for (std::int64_t x = 0; x < 480; ++x) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const std::int64_t patch = y / 48 * 10 + x / 48;
        const std::int64_t value = ((y % 48) * 48 + x % 48) * 3 + channel;
        const auto pixel = scaled.rgb()[static_cast<std::size_t>((y * 480 + x) * 3 + channel)];
        ASSERT_EQ(grid.rows().row(patch)[value], pixel);
      }
    }
  }
}

TEST(ImageToPatches, AreTheSameForAnyNumberOfThreads) {
  for (const auto& [width, height] :
       {std::pair{1, 1}, {500, 300}, {2, 700}, {1900, 3}, {1300, 900}, {3, 3}}) {
    const Image image = noise_image(width, height);
    const PatchGrid alone = image_to_patches(image, {}, {}, 70, "p");
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      const PatchGrid shared = image_to_patches(image, {}, {}, 70, "p", &pool);
      ASSERT_EQ(shared.num_patches(), alone.num_patches());
      EXPECT_TRUE(std::equal(alone.pixels.span().begin(), alone.pixels.span().end(),
                             shared.pixels.span().begin()))
          << width << " x " << height << " with " << threads << " threads";
    }
  }
}

TEST(ImageToPatches, ChannelsFirstIsTheSameValuesInAnotherOrder) {
  const Image image = noise_image(500, 300);
  const PatchGrid last = image_to_patches(image, {}, {}, 70, "p");
  VisionConfig vision;
  vision.patch_order = PatchOrder::kChannelsFirst;
  const PatchGrid first = image_to_patches(image, vision, {}, 70, "p");
  ASSERT_EQ(first.num_patches(), last.num_patches());
  for (std::int64_t patch = 0; patch < first.num_patches(); ++patch) {
    for (std::int64_t i = 0; i < 6912; ++i) {  // the published permutation of GGUF files
      const std::int64_t channel = i / 2304;
      const std::int64_t row = i % 2304 / 48;
      const std::int64_t column = i % 48;
      ASSERT_EQ(first.rows().row(patch)[i],
                last.rows().row(patch)[row * 144 + column * 3 + channel]);
    }
  }
}

TEST(ImageToPatches, GivesTheReferenceProcessorsValuesBitForBit) {
  // transformers 5.18.0, Gemma4UnifiedImageProcessor, pixel_values without the padding rows.
  struct Frozen {
    int width, height, budget, grid_width, grid_height;
    std::uint64_t hash;
  };
  const Frozen frozen[] = {{97, 41, 70, 12, 5, 0xC10A755A951A6F3DU},
                           {400, 300, 70, 9, 7, 0x3248D3FBF1FC1F7AU},
                           {3000, 10, 70, 70, 1, 0x943E13C430F3823BU}};
  for (const Frozen& row : frozen) {
    const PatchGrid grid =
        image_to_patches(noise_image(row.width, row.height), {}, {}, row.budget, "p");
    EXPECT_EQ(grid.grid_width, row.grid_width);
    EXPECT_EQ(grid.grid_height, row.grid_height);
    EXPECT_EQ(fnv1a(std::as_bytes(grid.values().span())), row.hash)
        << row.width << " x " << row.height;
  }
}

TEST(ImageToPatches, OfTheFixedSizeVariantAre784SmallPatches) {
  VisionConfig vision;
  vision.patch_size = 16;
  vision.pooling_kernel_size = 1;
  ImageProcessorConfig processor;
  processor.fixed_height = 448;
  processor.fixed_width = 448;
  processor.rescale_factor = 1.0F;
  const Image image = noise_image(448, 448);
  const PatchGrid grid = image_to_patches(image, vision, processor, 0, "p");
  EXPECT_EQ(grid.num_patches(), 784);
  EXPECT_EQ(grid.patch_values, 768);
  // Not resized: the first value of patch (x, y) is the red of pixel (16 x, 16 y).
  for (const auto& [x, y] : {std::pair{0, 0}, {27, 0}, {0, 27}, {13, 5}}) {
    EXPECT_EQ(grid.rows().row(y * 28 + x)[0],
              image.rgb()[static_cast<std::size_t>((16 * y * 448 + 16 * x) * 3)]);
  }
}

TEST(ImageToPatches, ValuesAreMultipliedOrDividedAsTheProcessorSays) {
  const Image image = noise_image(500, 300);
  ImageProcessorConfig processor;
  processor.rescale_factor = 0.0123F;
  const PatchGrid multiplied = image_to_patches(image, {}, processor, 70, "p");
  processor.rescale_divisor = 254.9F;
  const PatchGrid divided = image_to_patches(image, {}, processor, 70, "p");
  const AlignedBuffer<float> products = multiplied.values();
  const AlignedBuffer<float> quotients = divided.values();
  ASSERT_EQ(products.size(), 60 * 6912);
  for (std::int64_t i = 0; i < products.size(); ++i) {
    const auto pixel = static_cast<float>(multiplied.pixels.data()[i]);
    ASSERT_EQ(products.data()[i], pixel * 0.0123F);
    ASSERT_EQ(quotients.data()[i], pixel / 254.9F);
  }
}

TEST(RescaleFactor, IsTheFloatNearestToTheDoubleInTheConfiguration) {
  EXPECT_EQ(ImageProcessorConfig{}.rescale_factor, static_cast<float>(0.00392156862745098));
}

}  // namespace
}  // namespace nolens
