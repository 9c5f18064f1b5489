#include "embed/audio_embedder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "platform/thread_pool.h"

namespace nolens {
namespace {

struct Fixture {
  static constexpr std::int64_t kFrame = 24;
  static constexpr std::int64_t kHidden = 8;
  std::vector<float> weight;
  std::vector<float> samples;
  ThreadPool pool{2};
  std::unique_ptr<Kernels> kernels = make_cpu_kernels(pool, {.exact = true});
  AudioConfig config{.audio_embed_dim = kFrame};

  Fixture() : weight(kFrame * kHidden), samples(61) {
    std::mt19937 random(5);
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    for (float& value : weight) {
      value = uniform(random);
    }
    for (float& value : samples) {
      value = uniform(random);
    }
  }
  AudioEmbedder embedder() {
    return {config,
            {reinterpret_cast<const std::byte*>(weight.data()), DType::kF32, kHidden, kFrame},
            *kernels};
  }
};

TEST(AudioEmbedder, NormalisesAFrameAndProjectsIt) {
  Fixture f;
  std::vector<float> soft(3 * Fixture::kHidden);
  f.embedder().embed(f.samples, 0, {soft.data(), 3, Fixture::kHidden});
  for (std::int64_t row = 0; row < 3; ++row) {
    double squares = 0.0;
    const auto sample = [&](std::int64_t i) {
      const std::int64_t index = row * Fixture::kFrame + i;
      return index < 61 ? static_cast<double>(f.samples[static_cast<std::size_t>(index)]) : 0.0;
    };
    for (std::int64_t i = 0; i < Fixture::kFrame; ++i) {
      squares += sample(i) * sample(i);
    }
    const double scale = 1.0 / std::sqrt(squares / Fixture::kFrame + 1e-6);
    for (std::int64_t n = 0; n < Fixture::kHidden; ++n) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < Fixture::kFrame; ++i) {
        sum += sample(i) * scale *
               static_cast<double>(f.weight[static_cast<std::size_t>(n * Fixture::kFrame + i)]);
      }
      EXPECT_NEAR(soft[static_cast<std::size_t>(row * Fixture::kHidden + n)], sum, 1e-5);
    }
  }
}

TEST(AudioEmbedder, GivesARowTheSameBitsAloneAndAmongOthers) {
  Fixture f;
  std::vector<float> all(3 * Fixture::kHidden);
  std::vector<float> one(Fixture::kHidden);
  AudioEmbedder embedder = f.embedder();
  embedder.embed(f.samples, 0, {all.data(), 3, Fixture::kHidden});
  for (std::int64_t row = 0; row < 3; ++row) {
    embedder.embed(f.samples, row, {one.data(), 1, Fixture::kHidden});
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + row * Fixture::kHidden));
  }
}

TEST(AudioEmbedder, KeepsSilenceAtZero) {
  Fixture f;
  std::vector<float> soft(Fixture::kHidden, 1.0F);
  f.embedder().embed(std::vector<float>(24), 0, {soft.data(), 1, Fixture::kHidden});
  EXPECT_EQ(soft, std::vector<float>(Fixture::kHidden));
}

}  // namespace
}  // namespace nolens
