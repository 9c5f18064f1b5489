// The sampler as a whole: what each option does to the choice, and what is refused.
#include "sampler/sampler.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplerOptions greedy() {
  SamplerOptions options;
  options.temperature = 0.0F;
  return options;
}

std::vector<float> random_logits(std::mt19937& random, std::size_t size, float spread) {
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> logits(size);
  for (float& logit : logits) {
    logit = normal(random);
  }
  return logits;
}

/// Shares of the tokens in `draws` draws from the same logits. Penalties must be off.
std::vector<double> shares(const SamplerOptions& options, const std::vector<float>& logits,
                           int draws) {
  Sampler sampler(options, {}, static_cast<std::int64_t>(logits.size()));
  std::vector<double> result(logits.size(), 0.0);
  for (int i = 0; i < draws; ++i) {
    result[static_cast<std::size_t>(sampler.sample(logits))] += 1.0 / draws;
  }
  return result;
}

std::set<TokenId> support(const SamplerOptions& options, const std::vector<float>& logits) {
  Sampler sampler(options, {}, static_cast<std::int64_t>(logits.size()));
  std::set<TokenId> result;
  for (int i = 0; i < 2000; ++i) {
    result.insert(sampler.sample(logits));
  }
  return result;
}

/// Code and text of the error `action` ends with.
void expect_error(const std::function<void()>& action, ErrorCode code, const std::string& text) {
  try {
    action();
    FAIL() << "expected an error that mentions '" << text << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(Greedy, TakesTheLargestAndOfEqualOnesTheFirst) {
  Sampler sampler(greedy(), {}, 200);
  std::vector<float> logits(200, -1.0F);
  logits[150] = 3.0F;
  EXPECT_EQ(sampler.sample(logits), 150);
  logits[190] = 3.0F;
  EXPECT_EQ(sampler.sample(logits), 150);
  logits[149] = 3.0F;
  EXPECT_EQ(sampler.sample(logits), 149);
}

TEST(Greedy, IsTheLimitOfSmallTemperatures) {
  std::mt19937 random(5);
  SamplerOptions cold;
  cold.temperature = 1e-30F;
  for (int round = 0; round < 50; ++round) {
    const std::vector<float> logits = random_logits(random, 500, 3.0F);
    EXPECT_EQ(Sampler(cold, {}, 500).sample(logits), Sampler(greedy(), {}, 500).sample(logits));
  }
}

TEST(Greedy, AgreesWithATopKOfOne) {
  std::mt19937 random(6);
  SamplerOptions one;
  one.top_k = 1;
  for (int round = 0; round < 50; ++round) {
    const std::vector<float> logits = random_logits(random, 300, 1.0F);
    EXPECT_EQ(Sampler(one, {}, 300).sample(logits), Sampler(greedy(), {}, 300).sample(logits));
  }
}

TEST(Sample, FollowsTheSoftmaxOfTheLogitsOverTheTemperature) {
  std::mt19937 random(7);
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    const std::vector<float> logits = random_logits(random, 20, 1.5F);
    SamplerOptions options;
    options.temperature = temperature;
    options.seed = 99;
    constexpr int kDraws = 50'000;
    const std::vector<double> found = shares(options, logits, kDraws);
    double total = 0.0;
    for (const float logit : logits) {
      total += std::exp(double{logit} / double{temperature});
    }
    // Pearson's statistic; tokens expected fewer than ten times share one cell.
    double chi_square = 0.0;
    double rare_found = 0.0;
    double rare_expected = 0.0;
    const auto add_cell = [&](double count, double expected) {
      chi_square += (count - expected) * (count - expected) / expected;
    };
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double expected = kDraws * std::exp(double{logits[i]} / double{temperature}) / total;
      if (expected < 10.0) {
        rare_found += kDraws * found[i];
        rare_expected += expected;
      } else {
        add_cell(kDraws * found[i], expected);
      }
    }
    if (rare_expected > 0.0) {
      add_cell(rare_found, rare_expected);
    }
    EXPECT_LT(chi_square, 43.8) << temperature;  // at most 19 degrees of freedom, 0.1 %
  }
}

TEST(Sample, WithTheSameSeedGivesTheSameTokensAndWithAnotherOneOthers) {
  std::mt19937 random(8);
  const std::vector<float> logits = random_logits(random, 1000, 1.0F);
  const auto tokens = [&](std::uint64_t seed) {
    SamplerOptions options;
    options.seed = seed;
    options.frequency_penalty = 0.5F;
    Sampler sampler(options, {}, 1000);
    std::vector<TokenId> result;
    for (int i = 0; i < 100; ++i) {
      result.push_back(sampler.sample(logits));
    }
    return result;
  };
  EXPECT_EQ(tokens(1), tokens(1));
  EXPECT_NE(tokens(1), tokens(2));
}

TEST(TopK, KeepsTheKLikeliestAndTheirEquals) {
  SamplerOptions options;
  options.temperature = 100.0F;
  options.top_k = 2;
  EXPECT_EQ(support(options, {1.0F, 4.0F, 2.0F, 3.0F}), (std::set<TokenId>{1, 3}));
  EXPECT_EQ(support(options, {3.0F, 4.0F, 2.0F, 3.0F}), (std::set<TokenId>{0, 1, 3}));
}

TEST(TopK, LargerThanTheVocabularyKeepsAll) {
  SamplerOptions options;
  options.top_k = 1'000'000;
  EXPECT_EQ(support(options, {0.0F, 0.1F, 0.2F}), (std::set<TokenId>{0, 1, 2}));
}

TEST(TopP, IsAppliedToWhatTopKLeaves) {
  // Of all: 0.5, 0.3, 0.2. Of the two likeliest: 0.625, 0.375.
  const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  SamplerOptions options;
  options.top_p = 0.6F;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0, 1}));
  options.top_k = 2;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0}));
}

TEST(TopP, IsAppliedAfterTheTemperature) {
  const std::vector<float> logits{std::log(0.7F), std::log(0.2F), std::log(0.1F)};
  SamplerOptions options;
  options.top_p = 0.69F;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0}));
  options.temperature = 10.0F;  // nearly flat: about 0.37, 0.33, 0.30
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0, 1}));
}

TEST(MinP, DropsWhatIsFarLessLikelyThanTheBestWithAndWithoutTopP) {
  const std::vector<float> logits{std::log(0.6F), std::log(0.35F), std::log(0.05F)};
  SamplerOptions options;
  options.min_p = 0.1F;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0, 1}));
  options.top_p = 0.999F;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0, 1}));
  options.min_p = 0.01F;
  EXPECT_EQ(support(options, logits), (std::set<TokenId>{0, 1, 2}));
}

TEST(LogitBias, IsAddedToTheLogit) {
  SamplerOptions options = greedy();
  options.logit_bias = {{2, 1.5F}, {0, -100.0F}};
  Sampler sampler(options, {}, 3);
  EXPECT_EQ(sampler.sample(std::vector<float>{9.0F, 3.0F, 2.0F}), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{9.0F, 3.6F, 2.0F}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{104.0F, 3.0F, 2.0F}), 0);  // -100 is no prohibition
}

TEST(SuppressTokens, AreNeverChosenWhateverTheBias) {
  SamplerOptions options = greedy();
  options.suppress_tokens = {0, 1};
  options.logit_bias = {{0, 1000.0F}};
  EXPECT_EQ(Sampler(options, {}, 3).sample(std::vector<float>{9.0F, 8.0F, -50.0F}), 2);
}

TEST(RepetitionPenalty, DividesPositiveAndMultipliesNegativeLogitsOfContextAndAnswer) {
  SamplerOptions options = greedy();
  options.repetition_penalty = 2.0F;
  const std::vector<TokenId> context{1, 1, 0};  // counted once, however often it occurs
  Sampler sampler(options, context, 4);
  // 8/2 = 4, 6/2 = 3, 3.5, -9
  EXPECT_EQ(sampler.sample(std::vector<float>{8.0F, 6.0F, 3.5F, -9.0F}), 0);
  // -2*2 = -4, -1*2 = -2, -2.5, -9
  EXPECT_EQ(sampler.sample(std::vector<float>{-2.0F, -1.0F, -2.5F, -9.0F}), 1);
  // 3/2 = 1.5, 2/2 = 1, 1.6
  EXPECT_EQ(sampler.sample(std::vector<float>{3.0F, 2.0F, 1.6F, -9.0F}), 2);
  // The answer's own token 2 is penalised from now on: 1.5, 1, 0.8
  EXPECT_EQ(sampler.sample(std::vector<float>{3.0F, 2.0F, 1.6F, -9.0F}), 0);
}

TEST(RepetitionPenalty, IgnoresContextThatCannotBeGenerated) {
  SamplerOptions options = greedy();
  options.repetition_penalty = 2.0F;
  const std::vector<TokenId> context{-1, 4, 1'000'000, 0};
  EXPECT_EQ(Sampler(options, context, 2).sample(std::vector<float>{3.0F, 2.0F}), 1);
}

TEST(FrequencyAndPresence, CountTheAnswerOnly) {
  SamplerOptions options = greedy();
  options.frequency_penalty = 0.5F;
  options.presence_penalty = 0.25F;
  const std::vector<TokenId> context{0, 0, 0};
  Sampler sampler(options, context, 2);
  const std::vector<float> logits{2.0F, 0.9F};
  EXPECT_EQ(sampler.sample(logits), 0);  // 2.00 : 0.90
  EXPECT_EQ(sampler.sample(logits), 0);  // 1.25 : 0.90   -1*0.5 - 0.25
  EXPECT_EQ(sampler.sample(logits), 1);  // 0.75 : 0.90   -2*0.5 - 0.25
  EXPECT_EQ(sampler.sample(logits), 0);  // 0.75 : 0.15
  EXPECT_EQ(sampler.sample(logits), 0);  // 0.25 : 0.15   -3*0.5 - 0.25
  EXPECT_EQ(sampler.sample(logits), 1);  // -0.25 : 0.15
}

TEST(FrequencyAndPresence, NegativeValuesReward) {
  SamplerOptions options = greedy();
  options.presence_penalty = -2.0F;
  Sampler sampler(options, {}, 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{1.0F, 0.0F}), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{0.0F, 1.5F}), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{0.0F, 2.5F}), 1);
}

TEST(Sample, SaysSoWhenNoTokenIsLeft) {
  SamplerOptions options;
  options.suppress_tokens = {0, 1, 2};
  expect_error(
      [&] {
        Sampler(options, {}, 3).sample(std::vector<float>{1.0F, 2.0F, 3.0F});
      },
      ErrorCode::kInput, "no token is left");
  expect_error(
      [] {
        Sampler(greedy(), {}, 2).sample(std::vector<float>{-kInfinity, -kInfinity});
      },
      ErrorCode::kInput, "no token is left");
}

TEST(Sample, BlamesTheModelForLogitsThatAreNoNumbers) {
  for (const float bad : {kNan, kInfinity}) {
    std::vector<float> logits(100, 0.0F);
    logits[71] = bad;
    expect_error([&] { Sampler(SamplerOptions{}, {}, 100).sample(logits); }, ErrorCode::kModel,
                 "first at id 71");
    SamplerOptions suppressed;
    suppressed.suppress_tokens = {71};
    expect_error([&] { Sampler(suppressed, {}, 100).sample(logits); }, ErrorCode::kModel,
                 "1 of 100");
  }
}

TEST(Validate, AcceptsDefaultsAndEveryEdge) {
  EXPECT_NO_THROW(validate(SamplerOptions{}));
  SamplerOptions edges;
  edges.temperature = 100.0F;
  edges.min_p = 1.0F;
  edges.repetition_penalty = 10.0F;
  edges.frequency_penalty = -2.0F;
  edges.presence_penalty = 2.0F;
  EXPECT_NO_THROW(validate(edges));
}

TEST(Validate, NamesTheOptionItsRangeAndTheValue) {
  const auto refused = [](auto SamplerOptions::*option, float value, const std::string& text) {
    SamplerOptions options;
    options.*option = value;
    expect_error([&] { validate(options); }, ErrorCode::kUsage, text);
  };
  refused(&SamplerOptions::temperature, -0.1F,
          "temperature must be at least 0.0 and at most 100.0; found -0.1");
  refused(&SamplerOptions::temperature, 100.5F, "temperature");
  refused(&SamplerOptions::top_p, 0.0F, "top_p must be above 0.0 and at most 1.0; found 0.0");
  refused(&SamplerOptions::top_p, 1.01F, "top_p");
  refused(&SamplerOptions::min_p, -0.5F, "min_p");
  refused(&SamplerOptions::min_p, 1.5F, "min_p");
  refused(&SamplerOptions::repetition_penalty, 0.0F, "repetition_penalty");
  refused(&SamplerOptions::repetition_penalty, 11.0F, "repetition_penalty");
  refused(&SamplerOptions::frequency_penalty, 2.1F, "frequency_penalty");
  refused(&SamplerOptions::presence_penalty, -2.1F, "presence_penalty");
  for (const auto option :
       {&SamplerOptions::temperature, &SamplerOptions::top_p, &SamplerOptions::min_p,
        &SamplerOptions::repetition_penalty, &SamplerOptions::frequency_penalty,
        &SamplerOptions::presence_penalty}) {
    refused(option, kNan, "nan");
  }
  SamplerOptions options;
  options.top_k = -1;
  expect_error([&] { validate(options); }, ErrorCode::kUsage, "top_k");
  options.top_k = 0;
  options.logit_bias = {{3, kNan}};
  expect_error([&] { validate(options); }, ErrorCode::kUsage, "logit_bias");
}

TEST(Validate, IdsMustBeInTheVocabulary) {
  for (const TokenId id : {-1, 10}) {
    SamplerOptions bias;
    bias.logit_bias = {{id, 1.0F}};
    expect_error([&] { Sampler(bias, {}, 10); }, ErrorCode::kUsage, "ids run from 0 to 9");
    SamplerOptions suppressed;
    suppressed.suppress_tokens = {id};
    expect_error([&] { Sampler(suppressed, {}, 10); }, ErrorCode::kUsage, "suppress_tokens");
  }
}

}  // namespace
}  // namespace nolens
