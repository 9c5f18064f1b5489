// Log-probabilities of the unfiltered distribution.
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "sampler/sampler.h"

namespace nolens {
namespace {

TEST(Logprob, EqualsALogSoftmaxByHand) {
  // softmax(log 1, log 2, log 5) = 1/8, 2/8, 5/8
  const std::vector<float> logits{0.0F, std::log(2.0F), std::log(5.0F)};
  EXPECT_FLOAT_EQ(Sampler::logprob(logits, 0), std::log(0.125F));
  EXPECT_FLOAT_EQ(Sampler::logprob(logits, 1), std::log(0.25F));
  EXPECT_FLOAT_EQ(Sampler::logprob(logits, 2), std::log(0.625F));
}

TEST(Logprob, SurvivesLargeLogitsAndForbiddenTokens) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits{3e38F, -inf, 3e38F};
  EXPECT_FLOAT_EQ(Sampler::logprob(logits, 0), std::log(0.5F));
  EXPECT_EQ(Sampler::logprob(logits, 1), -inf);
}

TEST(Logprob, OfAllTokensSumToOne) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0.0F, 4.0F);
  std::vector<float> logits(2000);
  for (float& logit : logits) {
    logit = normal(random);
  }
  double sum = 0.0;
  for (TokenId id = 0; id < 2000; ++id) {
    sum += std::exp(static_cast<double>(Sampler::logprob(logits, id)));
  }
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST(TopLogprobs, AreTheLikeliestBestFirstAndTiesByIndex) {
  const std::vector<float> logits{1.0F, 4.0F, 2.0F, 4.0F, 3.0F, 2.0F};
  const std::vector<TokenLogprob> best = Sampler::top_logprobs(logits, 4);
  ASSERT_EQ(best.size(), 4U);
  EXPECT_EQ(best[0].id, 1);
  EXPECT_EQ(best[1].id, 3);
  EXPECT_EQ(best[2].id, 4);
  EXPECT_EQ(best[3].id, 2);
  for (const TokenLogprob& token : best) {
    EXPECT_EQ(token.logprob, Sampler::logprob(logits, token.id));
  }
}

TEST(TopLogprobs, AreAsManyAsThereAreTokens) {
  const std::vector<float> logits{1.0F, 2.0F};
  EXPECT_TRUE(Sampler::top_logprobs(logits, 0).empty());
  EXPECT_EQ(Sampler::top_logprobs(logits, 1).size(), 1U);
  EXPECT_EQ(Sampler::top_logprobs(logits, 20).size(), 2U);
}

}  // namespace
}  // namespace nolens
