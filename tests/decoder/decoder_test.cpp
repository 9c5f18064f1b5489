#include "decoder/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "platform/thread_pool.h"
#include "support/random_decoder.h"

namespace nolens {
namespace {

using testing::RandomDecoder;
using testing::small_text_config;

/// Hidden states of a whole sequence computed in steps that end at `cuts`.
std::vector<float> run(const RandomDecoder& model, std::vector<float> x,
                       std::vector<std::int64_t> cuts, std::span<const VisionBlock> blocks,
                       MaskRule rule, int threads = 1) {
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(pool, {.exact = true});
  Decoder decoder(model.config, model.weights, *kernels);
  const std::int64_t hidden = model.config.hidden_size;
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / hidden;
  KvCache cache(model.config, KvType::kF32, rows);
  cuts.push_back(rows);
  std::int64_t begin = 0;
  for (const std::int64_t end : cuts) {
    cache.reserve(end - begin);
    const StepSequence sequence{&cache, end - begin, blocks, rule};
    decoder.forward({&sequence, 1}, Matrix(x.data() + begin * hidden, end - begin, hidden));
    begin = end;
  }
  return x;
}

std::vector<std::int64_t> every_position(std::int64_t rows) {
  std::vector<std::int64_t> cuts;
  for (std::int64_t i = 1; i < rows; ++i) {
    cuts.push_back(i);
  }
  return cuts;
}

TEST(Decoder, TextInChunksIsBitEqualToTextAtOnce) {
  RandomDecoder model(small_text_config());
  const std::vector<float> x = model.rows(150);
  const std::vector<float> whole = run(model, x, {}, {}, MaskRule::kCanonical);
  EXPECT_EQ(whole, run(model, x, {1, 64, 65, 100}, {}, MaskRule::kCanonical));
  EXPECT_EQ(whole, run(model, x, every_position(150), {}, MaskRule::kCanonical));
}

TEST(Decoder, ChunksAroundPicturesAreBitEqualForEveryMaskRule) {
  RandomDecoder model(small_text_config());
  const std::vector<float> x = model.rows(140);
  // The second block is longer than the window and crosses a key tile.
  const VisionBlock blocks[] = {{3, 12}, {50, 90}};
  for (const MaskRule rule : {MaskRule::kCanonical, MaskRule::kLegacy, MaskRule::kCausal}) {
    const std::vector<float> whole = run(model, x, {}, blocks, rule);
    EXPECT_EQ(whole, run(model, x, {3, 12, 50, 90}, blocks, rule));
    EXPECT_EQ(whole, run(model, x, {1, 13, 14, 40, 91, 130}, blocks, rule));
  }
}

TEST(Decoder, MaskRulesDiffer) {
  RandomDecoder model(small_text_config());
  const std::vector<float> x = model.rows(60);
  const VisionBlock blocks[] = {{5, 40}};
  const auto canonical = run(model, x, {}, blocks, MaskRule::kCanonical);
  const auto legacy = run(model, x, {}, blocks, MaskRule::kLegacy);
  const auto causal = run(model, x, {}, blocks, MaskRule::kCausal);
  EXPECT_NE(canonical, legacy);
  EXPECT_NE(canonical, causal);
  EXPECT_NE(legacy, causal);
}

TEST(Decoder, AnyNumberOfThreadsGivesTheSameBits) {
  RandomDecoder model(small_text_config());
  const std::vector<float> x = model.rows(100);
  const VisionBlock blocks[] = {{20, 45}};
  const auto one = run(model, x, {}, blocks, MaskRule::kCanonical, 1);
  for (const int threads : {2, 3, 7}) {
    EXPECT_EQ(one, run(model, x, {}, blocks, MaskRule::kCanonical, threads)) << threads;
  }
}

TEST(Decoder, SequencesInOneStepAreBitEqualToEachAlone) {
  RandomDecoder model(small_text_config());
  const std::vector<float> first = model.rows(33);
  const std::vector<float> second = model.rows(70);
  const VisionBlock block[] = {{10, 30}};
  const auto first_alone = run(model, first, {}, {}, MaskRule::kCanonical);
  const auto second_alone = run(model, second, {}, block, MaskRule::kLegacy);

  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(pool, {.exact = true});
  Decoder decoder(model.config, model.weights, *kernels);
  KvCache first_cache(model.config, KvType::kF32, 33);
  KvCache second_cache(model.config, KvType::kF32, 70);
  first_cache.reserve(33);
  second_cache.reserve(70);
  std::vector<float> both = first;
  both.insert(both.end(), second.begin(), second.end());
  const StepSequence sequences[] = {{&first_cache, 33, {}, MaskRule::kCanonical},
                                    {&second_cache, 70, block, MaskRule::kLegacy}};
  decoder.forward(sequences, Matrix(both.data(), 103, model.config.hidden_size));
  std::vector<float> expected = first_alone;
  expected.insert(expected.end(), second_alone.begin(), second_alone.end());
  EXPECT_EQ(both, expected);
}

TEST(Decoder, SlidingLayersForgetWhatLeftTheWindow) {
  TextConfig config = small_text_config();
  for (LayerConfig& layer : config.layers) {
    layer = config.layers[0];
  }
  RandomDecoder model(config);
  std::vector<float> x = model.rows(100);
  const auto before = run(model, x, {}, {}, MaskRule::kCanonical);
  // Three sliding layers look back 3 * (W - 1) = 45 positions; the last row cannot see row 10.
  std::fill_n(x.begin() + 10 * config.hidden_size, config.hidden_size, 9.0F);
  const auto after = run(model, x, {}, {}, MaskRule::kCanonical);
  const auto last_row = static_cast<std::ptrdiff_t>(99 * config.hidden_size);
  EXPECT_TRUE(std::equal(before.begin() + last_row, before.end(), after.begin() + last_row));
  EXPECT_NE(before, after);
}

TEST(Decoder, ObserverSeesEveryLayer) {
  RandomDecoder model(small_text_config());
  std::vector<float> x = model.rows(5);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(pool);
  Decoder decoder(model.config, model.weights, *kernels);
  KvCache cache(model.config, KvType::kF32, 5);
  cache.reserve(5);
  std::vector<std::size_t> layers;
  const StepSequence sequence{&cache, 5, {}, MaskRule::kCanonical};
  decoder.forward({&sequence, 1}, Matrix(x.data(), 5, model.config.hidden_size),
                  [&](std::size_t layer, ConstMatrix rows) {
                    EXPECT_EQ(rows.rows, 5);
                    layers.push_back(layer);
                  });
  EXPECT_EQ(layers, (std::vector<std::size_t>{0, 1, 2}));
}

}  // namespace
}  // namespace nolens
