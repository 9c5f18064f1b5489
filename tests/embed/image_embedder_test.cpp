// Steps a variant may leave out; the complete embedder is compared with the reference in
// tests/parity.
#include "embed/image_embedder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "platform/thread_pool.h"

namespace nolens {
namespace {

constexpr std::int64_t kHidden = 8;

/// 2 x 3 patches of 2 x 2 pixels.
PatchGrid small_grid() {
  PatchGrid grid;
  grid.grid_width = 3;
  grid.grid_height = 2;
  grid.patch_values = 12;
  grid.scale.factor = 1.0F / 255.0F;
  grid.pixels = AlignedBuffer<std::uint8_t>(6 * 12);
  for (std::int64_t i = 0; i < 72; ++i) {
    grid.pixels.data()[i] = static_cast<std::uint8_t>(i * 37);
  }
  return grid;
}

class PlainEmbedder : public ::testing::Test {
 protected:
  PlainEmbedder() : dense_(kHidden * 12), positions_(4 * 2 * kHidden) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (float& value : dense_) {
      value = normal(random);
    }
    for (float& value : positions_) {
      value = normal(random);
    }
    config_.patch_size = 2;
    config_.pooling_kernel_size = 1;
    config_.mm_embed_dim = kHidden;
    config_.mm_posemb_size = 4;
    config_.patch_ln1 = config_.patch_bias = config_.patch_ln2 = config_.pos_norm =
        config_.embedding_projection = false;
    weights_.patch_dense = {reinterpret_cast<const std::byte*>(dense_.data()), DType::kF32, kHidden,
                            12};
    weights_.pos_embedding = {reinterpret_cast<const std::byte*>(positions_.data()), DType::kF32, 4,
                              2 * kHidden};
  }

  std::vector<float> embed(const PatchGrid& grid) {
    ThreadPool pool(1);
    const auto kernels = make_cpu_kernels(pool, {.exact = true});
    ImageEmbedder embedder(config_, weights_, *kernels);
    std::vector<float> soft(static_cast<std::size_t>(grid.num_patches() * kHidden));
    embedder.embed(grid, {soft.data(), grid.num_patches(), kHidden});
    return soft;
  }

  double projected(const PatchGrid& grid, std::int64_t patch, std::int64_t n) const {
    double sum = 0.0;
    for (std::int64_t k = 0; k < 12; ++k) {
      sum += static_cast<double>(grid.scale.value(grid.rows().row(patch)[k])) *
             static_cast<double>(dense_[static_cast<std::size_t>(n * 12 + k)]);
    }
    return sum;
  }

  VisionConfig config_;
  ImageEmbedderWeights weights_;
  std::vector<float> dense_;
  std::vector<float> positions_;
};

TEST_F(PlainEmbedder, OneProjectionPlusTheRowsOfBothAxes) {
  const PatchGrid grid = small_grid();
  const std::vector<float> soft = embed(grid);
  for (std::int64_t patch = 0; patch < 6; ++patch) {
    const std::int64_t x = patch % 3;
    const std::int64_t y = patch / 3;
    for (std::int64_t n = 0; n < kHidden; ++n) {
      const double position =
          static_cast<double>(positions_[static_cast<std::size_t>((x * 2 + 0) * kHidden + n)]) +
          static_cast<double>(positions_[static_cast<std::size_t>((y * 2 + 1) * kHidden + n)]);
      EXPECT_NEAR(soft[static_cast<std::size_t>(patch * kHidden + n)],
                  projected(grid, patch, n) + position, 1e-5);
    }
  }
}

TEST_F(PlainEmbedder, ATableWithTheAxisFirstGivesTheSamePositions) {
  const PatchGrid grid = small_grid();
  const std::vector<float> expected = embed(grid);
  const std::vector<float> rows = positions_;  // [4, 2, kHidden] -> [2, 4, kHidden]
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t column = i % kHidden;
    const std::size_t axis = i / kHidden % 2;
    const std::size_t row = i / kHidden / 2;
    positions_[(axis * 4 + row) * kHidden + column] = rows[i];
  }
  config_.position_table = PositionTable::kAxisFirst;
  EXPECT_EQ(embed(grid), expected);
}

TEST_F(PlainEmbedder, SinusoidalPositionsOfBothAxes) {
  config_.position_embedding = PositionEmbedding::kSinusoidal;
  const PatchGrid grid = small_grid();
  const std::vector<float> soft = embed(grid);
  for (std::int64_t patch = 0; patch < 6; ++patch) {
    for (std::int64_t n = 0; n < kHidden; ++n) {
      const double frequency = std::pow(10'000.0, -2.0 * static_cast<double>(n % 4) / kHidden);
      const auto value = [&](std::int64_t coordinate) {
        const double angle = static_cast<double>(coordinate) * frequency;
        return n < 4 ? std::sin(angle) : std::cos(angle);
      };
      EXPECT_NEAR(soft[static_cast<std::size_t>(patch * kHidden + n)],
                  projected(grid, patch, n) + value(patch % 3) + value(patch / 3), 1e-5);
    }
  }
}

TEST_F(PlainEmbedder, WithoutPositionsEqualPatchesAreEqualTokens) {
  config_.position_embedding = PositionEmbedding::kNone;
  PatchGrid grid = small_grid();
  std::copy_n(grid.pixels.data(), 12, grid.pixels.data() + 4 * 12);
  const std::vector<float> soft = embed(grid);
  for (std::size_t n = 0; n < kHidden; ++n) {
    EXPECT_EQ(soft[n], soft[4 * kHidden + n]);
    EXPECT_NE(soft[n], soft[kHidden + n]);
  }
}

}  // namespace
}  // namespace nolens
