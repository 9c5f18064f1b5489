// How much memory the buffers of a step take. What is in them is decoder_test's.
#include "decoder/activations.h"

#include <gtest/gtest.h>

#include "platform/thread_pool.h"
#include "support/random_decoder.h"

namespace nolens {
namespace {

using testing::small_text_config;

constexpr std::int64_t kRows = 33;

class ActivationsTest : public ::testing::Test {
 protected:
  ActivationsTest() {
    config.intermediate_size = 4096;  // more than all heads have
    weights.layers.resize(config.layers.size());
    for (LayerWeights& layer : weights.layers) {
      layer.gate_proj = matrix(DType::kQ4_0);
      layer.up_proj = matrix(DType::kQ4_0);
    }
  }
  /// Only its kind is looked at.
  [[nodiscard]] WeightMatrix matrix(DType dtype) const {
    WeightMatrix weight;
    weight.dtype = dtype;
    weight.layout = WeightLayout::kPanels;
    weight.rows = config.intermediate_size;
    weight.cols = config.hidden_size;
    return weight;
  }
  /// Columns of `up`, once the bytes were found to be those that were foretold.
  std::int64_t up_columns(bool exact = false) {
    const auto kernels = make_cpu_kernels(pool, {.exact = exact});
    Activations activations(config, weights, *kernels);
    activations.resize(kRows);
    bytes = activations.bytes();
    EXPECT_EQ(bytes, Activations::bytes_at(config, weights, *kernels, kRows));
    EXPECT_EQ(activations.gate.cols, config.intermediate_size);
    return activations.up.cols;
  }

  ThreadPool pool{1};
  TextConfig config = small_text_config();
  DecoderWeights weights;
  std::int64_t bytes = 0;
};

TEST_F(ActivationsTest, ProductsInPanelsTakeNoRoomForUp) {
  EXPECT_EQ(up_columns(), 0);
  const std::int64_t without = bytes;
  EXPECT_EQ(up_columns(true), config.intermediate_size);
  EXPECT_EQ(bytes - without, kRows * config.intermediate_size * 4);
}

TEST_F(ActivationsTest, OneLayerThatNeedsUpIsEnough) {
  weights.layers.back().up_proj = matrix(DType::kQ8_0);  // not in one pass with the gate
  EXPECT_EQ(up_columns(), config.intermediate_size);
  weights.layers.back().gate_proj = matrix(DType::kQ8_0);
  EXPECT_EQ(up_columns(), 0);
  weights.layers.front().gate_proj.layout = WeightLayout::kRows;
  EXPECT_EQ(up_columns(), config.intermediate_size);
}

TEST_F(ActivationsTest, AttentionAndFeedForwardShareTheLargerRoom) {
  config.intermediate_size = 1;
  EXPECT_EQ(up_columns(), 0);
  const std::int64_t without = bytes;
  EXPECT_EQ(up_columns(true), 1);
  EXPECT_EQ(bytes, without);  // q, k, v and what was attended to need more either way
}

}  // namespace
}  // namespace nolens
