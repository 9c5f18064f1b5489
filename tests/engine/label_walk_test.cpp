#include "engine/label_walk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace nolens {
namespace {

std::vector<float> logits_with(std::initializer_list<std::pair<TokenId, double>> probabilities) {
  std::vector<float> logits(16, -20.0F);
  for (const auto& [id, probability] : probabilities) {
    logits[static_cast<std::size_t>(id)] = static_cast<float>(std::log(probability));
  }
  return logits;
}

TEST(LabelWalk, SharesOutWhatTheFirstTokensHave) {
  LabelWalk walk({{1}, {2, 7, 8}}, 0);
  ASSERT_TRUE(walk.wants_logits());
  EXPECT_TRUE(walk.path().empty());
  // Half of the mass is on a token that no label begins with.
  walk.take(logits_with({{1, 0.4}, {2, 0.1}, {3, 0.5}}));
  EXPECT_FALSE(walk.wants_logits());
  EXPECT_NEAR(walk.probabilities()[0], 0.8, 1e-6);
  EXPECT_NEAR(walk.probabilities()[1], 0.2, 1e-6);
}

TEST(LabelWalk, FollowsWhatLabelsHaveInCommon) {
  // "red square", "red circle", "blue"
  LabelWalk walk({{1, 2}, {1, 3}, {4}}, 0);
  walk.take(logits_with({{1, 0.6}, {4, 0.2}}));
  ASSERT_TRUE(walk.wants_logits());
  EXPECT_EQ(std::vector<TokenId>(walk.path().begin(), walk.path().end()), std::vector<TokenId>{1});
  walk.take(logits_with({{2, 0.1}, {3, 0.3}}));
  EXPECT_FALSE(walk.wants_logits());
  EXPECT_NEAR(walk.probabilities()[0], 0.75 * 0.25, 1e-6);
  EXPECT_NEAR(walk.probabilities()[1], 0.75 * 0.75, 1e-6);
  EXPECT_NEAR(walk.probabilities()[2], 0.25, 1e-6);
}

TEST(LabelWalk, ALabelThatAnotherContinuesEndsWithTheTurn) {
  LabelWalk walk({{1}, {1, 2}}, 9);
  walk.take(logits_with({{1, 0.9}}));
  ASSERT_TRUE(walk.wants_logits());
  walk.take(logits_with({{9, 0.3}, {2, 0.1}}));
  EXPECT_FALSE(walk.wants_logits());
  EXPECT_NEAR(walk.probabilities()[0], 0.75, 1e-6);
  EXPECT_NEAR(walk.probabilities()[1], 0.25, 1e-6);
}

TEST(LabelWalk, AlwaysAddsUpToOne) {
  LabelWalk walk({{1, 2, 3}, {1, 2, 4}, {1, 5}, {1, 5, 6}, {7}}, 0);
  int asked = 0;
  while (walk.wants_logits()) {
    std::vector<float> logits(16);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(std::sin(static_cast<double>(i) * 1.7 + asked));
    }
    walk.take(logits);
    ++asked;
  }
  EXPECT_EQ(asked, 4);
  EXPECT_NEAR(std::accumulate(walk.probabilities().begin(), walk.probabilities().end(), 0.0), 1.0, 1e-9);
}

TEST(LabelWalk, ExtremeLogitsStayNumbers) {
  LabelWalk walk({{1}, {2}}, 0);
  std::vector<float> logits(16, -1e30F);
  logits[1] = 1e30F;
  walk.take(logits);
  EXPECT_EQ(walk.probabilities()[0], 1.0);
  EXPECT_EQ(walk.probabilities()[1], 0.0);
}

}  // namespace
}  // namespace nolens
