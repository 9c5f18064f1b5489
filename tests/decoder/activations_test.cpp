// How much memory the buffers of a step take. What is in them is decoder_test's.
#include "decoder/activations.h"

#include <algorithm>

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
      layer.down_proj = matrix(DType::kQ6_K);
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
  /// Columns of `hidden`, once the bytes were found to be those that were foretold.
  std::int64_t hidden_columns(bool exact = false) {
    const auto kernels = make_cpu_kernels(pool, {.exact = exact});
    Activations activations(config, weights, *kernels);
    activations.resize(kRows);
    bytes = activations.bytes();
    EXPECT_EQ(bytes, Activations::bytes_at(config, weights, *kernels, kRows));
    EXPECT_EQ(activations.hidden.rows, 2 * kRows);
    return activations.hidden.cols;
  }

  ThreadPool pool{1};
  TextConfig config = small_text_config();
  DecoderWeights weights;
  std::int64_t bytes = 0;
};

TEST_F(ActivationsTest, ProductsInPanelsTakeNoRoomForHiddenColumns) {
  EXPECT_EQ(hidden_columns(), 0);
  const std::int64_t without = bytes;
  EXPECT_EQ(hidden_columns(true), config.intermediate_size);
  // Attention's buffers have the same place.
  EXPECT_GT(bytes - without, kRows * config.intermediate_size * 4);
  EXPECT_LT(bytes - without, 2 * kRows * config.intermediate_size * 4);
}

TEST_F(ActivationsTest, OneLayerThatNeedsHiddenColumnsIsEnough) {
  weights.layers.back().up_proj = matrix(DType::kQ8_0);  // not in one pass with the gate
  EXPECT_EQ(hidden_columns(), config.intermediate_size);
  weights.layers.back().gate_proj = matrix(DType::kQ8_0);
  EXPECT_EQ(hidden_columns(), 0);
  weights.layers.front().down_proj.layout = WeightLayout::kRows;
  EXPECT_EQ(hidden_columns(), config.intermediate_size);
}

TEST_F(ActivationsTest, AttentionAndFeedForwardShareTheLargerRoom) {
  config.intermediate_size = 1;
  EXPECT_EQ(hidden_columns(), 0);
  const std::int64_t without = bytes;
  EXPECT_EQ(hidden_columns(true), 1);
  EXPECT_EQ(bytes, without);  // attention needs more either way
}

TEST_F(ActivationsTest, WhatWasAttendedToLiesWhereKeysAndValuesWere) {
  const auto kernels = make_cpu_kernels(pool, {});
  Activations activations(config, weights, *kernels);
  activations.resize(kRows);
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  for (const LayerConfig& layer : config.layers) {
    queries = std::max(queries, config.num_attention_heads * layer.head_dim);
    keys = std::max(keys, layer.num_key_value_heads * layer.head_dim);
  }
  EXPECT_EQ(activations.attended(queries).data, activations.k(keys).data);
  // The end of each: inside the allocation, and no two of those that live together overlap.
  const auto end = [](const Matrix& m) { return m.data + m.rows * m.cols; };
  EXPECT_LE(end(activations.branch), activations.q(queries).data);
  EXPECT_LE(end(activations.q(queries)), activations.k(keys).data);
  EXPECT_LE(end(activations.k(keys)), activations.v(keys).data);
  const float* last = activations.branch.data + activations.bytes() / 4;
  EXPECT_LE(end(activations.v(keys)), last);
  EXPECT_LE(end(activations.attended(queries)), last);
}

}  // namespace
}  // namespace nolens
