#include "embed/token_embedder.h"

#include <gtest/gtest.h>

#include "platform/thread_pool.h"

namespace nolens {
namespace {

ModelConfig config_of(SourceDtype dtype, std::int64_t hidden_size) {
  ModelConfig config;
  config.source_dtype = dtype;
  config.text.hidden_size = hidden_size;
  config.tokens.pad = 0;
  config.tokens.image = 3;
  return config;
}

TEST(TokenEmbedder, ScaleIsRoundedToTheFormatOfTheWeights) {
  EXPECT_EQ(embedding_scale(config_of(SourceDtype::kBfloat16, 3840), false), 62.0F);
  EXPECT_EQ(embedding_scale(config_of(SourceDtype::kFloat32, 3840), false), 61.967735F);
  EXPECT_EQ(embedding_scale(config_of(SourceDtype::kFloat16, 3840), false), 61.96875F);
  EXPECT_EQ(embedding_scale(config_of(SourceDtype::kBfloat16, 3840), true), 61.967735F);
}

TEST(TokenEmbedder, ScalesRowsAndGivesPlaceholdersThePadRow) {
  const float table[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};  // [4, 4]
  const WeightMatrix weights{reinterpret_cast<const std::byte*>(table), DType::kF32, 4, 4};
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(pool);
  const ModelConfig config = config_of(SourceDtype::kFloat32, 4);
  TokenEmbedder embedder(config, weights, false, *kernels);
  std::vector<float> y(12);
  const TokenId ids[] = {2, 3, 1};
  embedder.embed(ids, {y.data(), 3, 4});
  EXPECT_EQ(y, (std::vector<float>{18, 20, 22, 24, 2, 4, 6, 8, 10, 12, 14, 16}));
}

}  // namespace
}  // namespace nolens
