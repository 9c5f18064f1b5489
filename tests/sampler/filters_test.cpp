// Every filter against a slow version that sorts everything.
#include "sampler/filters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace nolens {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::vector<float> random_scores(std::mt19937& random, std::size_t size, float spread) {
  std::normal_distribution<float> normal;
  std::vector<float> scores(size);
  std::generate(scores.begin(), scores.end(), [&] { return spread * normal(random); });
  return scores;
}

std::vector<Candidate> weighed(const std::vector<float>& scores, float threshold = kMinusInfinity,
                               float temperature = 1.0F) {
  std::vector<Candidate> candidates;
  weigh(scores, block_maxima(scores), threshold, temperature, candidates);
  return candidates;
}

std::vector<TokenId> ids_of(const std::vector<Candidate>& candidates) {
  std::vector<TokenId> ids;
  for (const Candidate& candidate : candidates) {
    ids.push_back(candidate.id);
  }
  return ids;
}

/// Ids that top-p keeps, by sorting all and adding up in that order.
std::vector<TokenId> top_p_by_sorting(std::vector<Candidate> candidates, float top_p) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  });
  double total = 0.0;
  for (const Candidate& candidate : candidates) {
    total += static_cast<double>(candidate.weight);
  }
  std::vector<TokenId> kept;
  double sum = 0.0;
  for (const Candidate& candidate : candidates) {
    kept.push_back(candidate.id);
    sum += static_cast<double>(candidate.weight);
    if (sum >= total * static_cast<double>(top_p)) {
      break;
    }
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

TEST(BlockMaxima, HoldTheLargestOfEveryBlockAndOfTheShortLastOne) {
  std::vector<float> scores(kScoreBlock * 2 + 3, -5.0F);
  scores[63] = 1.0F;
  scores[64] = 2.0F;
  scores[130] = -4.0F;
  EXPECT_EQ(block_maxima(scores), (std::vector<float>{1.0F, 2.0F, -4.0F}));
}

TEST(KthLargest, EqualsTheSortedOrderForEverySizeAndK) {
  std::mt19937 random(1);
  for (const std::size_t size : {1U, 2U, 63U, 64U, 65U, 1000U, 5000U}) {
    std::vector<float> scores = random_scores(random, size, 3.0F);
    for (std::size_t i = 0; i < size; i += 3) {
      scores[i] = std::round(scores[i]);  // ties
    }
    std::vector<float> sorted = scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (std::size_t k = 1; k <= size; k += 1 + k / 3) {
      EXPECT_EQ(kth_largest(scores, block_maxima(scores), static_cast<std::int64_t>(k)),
                sorted[k - 1])
          << "size " << size << ", k " << k;
    }
  }
}

TEST(KthLargest, CountsForbiddenTokensAsTheSmallest) {
  const std::vector<float> scores{kMinusInfinity, 1.0F, kMinusInfinity};
  EXPECT_EQ(kth_largest(scores, block_maxima(scores), 1), 1.0F);
  EXPECT_EQ(kth_largest(scores, block_maxima(scores), 3), kMinusInfinity);
}

TEST(Weigh, GivesTheLikeliestOneAndOthersTheirExponential) {
  const std::vector<Candidate> candidates = weighed({1.0F, 3.0F, 2.0F}, kMinusInfinity, 2.0F);
  ASSERT_EQ(candidates.size(), 3U);
  EXPECT_EQ(candidates[0].weight, std::exp(-1.0F));
  EXPECT_EQ(candidates[1].weight, 1.0F);
  EXPECT_EQ(candidates[2].weight, std::exp(-0.5F));
}

TEST(Weigh, LeavesOutWhatIsBelowTheThresholdForbiddenOrVanishing) {
  EXPECT_EQ(ids_of(weighed({0.0F, -1.0F, kMinusInfinity, -200.0F, -3.0F}, -2.0F)),
            (std::vector<TokenId>{0, 1}));
  EXPECT_EQ(ids_of(weighed({0.0F, -1.0F, kMinusInfinity, -200.0F, -3.0F})),
            (std::vector<TokenId>{0, 1, 4}));
}

TEST(Weigh, KeepsAllOfTheSameScoreAtTheThreshold) {
  EXPECT_EQ(ids_of(weighed({2.0F, 1.0F, 2.0F, 2.0F}, 2.0F)), (std::vector<TokenId>{0, 2, 3}));
}

TEST(KeepTopP, EqualsSortingForPeakedAndFlatDistributions) {
  std::mt19937 random(2);
  for (const float spread : {0.0F, 0.001F, 0.5F, 3.0F, 12.0F}) {
    const std::vector<float> scores = random_scores(random, 3000, spread);
    for (const float top_p : {0.0001F, 0.1F, 0.5F, 0.9F, 0.95F, 0.999F}) {
      std::vector<Candidate> candidates = weighed(scores);
      const std::vector<TokenId> expected = top_p_by_sorting(candidates, top_p);
      keep_top_p(candidates, top_p);
      EXPECT_EQ(ids_of(candidates), expected) << "spread " << spread << ", p " << top_p;
    }
  }
}

TEST(KeepTopP, KeepsTheSmallestSetThatReachesTheShare) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Candidate> all = weighed(random_scores(random, 40, 2.0F));
    std::vector<Candidate> kept = all;
    const float top_p = std::uniform_real_distribution<float>(0.01F, 0.99F)(random);
    keep_top_p(kept, top_p);
    const auto sum = [](const std::vector<Candidate>& candidates) {
      return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                             [](double s, const Candidate& c) { return s + double{c.weight}; });
    };
    const auto least = std::min_element(
        kept.begin(), kept.end(),
        [](const Candidate& a, const Candidate& b) { return a.weight < b.weight; });
    EXPECT_GE(sum(kept), sum(all) * double{top_p} * (1.0 - 1e-12));
    EXPECT_LT(sum(kept) - double{least->weight}, sum(all) * double{top_p} * (1.0 + 1e-12));
  }
}

TEST(KeepTopP, AlwaysKeepsTheLikeliestAndPrefersLowerIdsAmongEquals) {
  std::vector<Candidate> candidates = weighed({5.0F, 5.0F, 5.0F, 5.0F});
  keep_top_p(candidates, 1e-6F);
  EXPECT_EQ(ids_of(candidates), (std::vector<TokenId>{0}));
  candidates = weighed({5.0F, 5.0F, 5.0F, 5.0F});
  keep_top_p(candidates, 0.5F);
  EXPECT_EQ(ids_of(candidates), (std::vector<TokenId>{0, 1}));
}

TEST(KeepMinP, ComparesWithTheLikeliest) {
  std::vector<Candidate> candidates =
      weighed({std::log(1.0F), std::log(0.2F), std::log(0.06F), std::log(0.04F)});
  keep_min_p(candidates, 0.05F);
  EXPECT_EQ(ids_of(candidates), (std::vector<TokenId>{0, 1, 2}));
  keep_min_p(candidates, 1.0F);
  EXPECT_EQ(ids_of(candidates), (std::vector<TokenId>{0}));
}

TEST(Draw, GivesEveryCandidateItsShareOfThePositions) {
  const std::vector<Candidate> candidates{{3, 1.0F}, {5, 0.5F}, {9, 0.5F}};
  EXPECT_EQ(draw(candidates, 0.0), 3);
  EXPECT_EQ(draw(candidates, 0.4999), 3);
  EXPECT_EQ(draw(candidates, 0.5), 5);
  EXPECT_EQ(draw(candidates, 0.7499), 5);
  EXPECT_EQ(draw(candidates, 0.75), 9);
  EXPECT_EQ(draw(candidates, 0x1.fffffffffffffp-1), 9);
}

TEST(Draw, FindsTheRightBlockOfALongList) {
  std::vector<Candidate> candidates;
  for (TokenId id = 0; id < 1000; ++id) {
    candidates.push_back({id, 1.0F});
  }
  for (TokenId id = 0; id < 1000; ++id) {
    EXPECT_EQ(draw(candidates, (static_cast<double>(id) + 0.5) / 1000.0), id);
  }
}

}  // namespace
}  // namespace nolens
