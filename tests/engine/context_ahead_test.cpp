// Tokens computed ahead: the same bits as one by one, wherever a draft is rejected.
#include <algorithm>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "engine/context.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::tiny_model;
using testing::tiny_model_path;

/// Ids of ordinary tokens, different everywhere.
TokenId some_id(std::int64_t i) {
  return static_cast<TokenId>((i * 37 + i * i * 11) % 200 + 150);
}

std::vector<float> copied(std::span<const float> values) {
  return {values.begin(), values.end()};
}

struct State {
  std::vector<float> logits;
  std::vector<float> hidden;
};

State state_of(const Context& context) {
  return {copied(context.logits()), copied(context.hidden_state())};
}

void expect_same(const Context& context, const State& expected, std::int64_t position) {
  ASSERT_TRUE(std::ranges::equal(context.logits(), expected.logits)) << "position " << position;
  ASSERT_TRUE(std::ranges::equal(context.hidden_state(), expected.hidden))
      << "position " << position;
}

void append(Context& context, std::int64_t count) {
  TokenSequence sequence;
  for (std::int64_t i = 0; i < count; ++i) {
    sequence.ids.push_back(some_id(context.length() + i));
  }
  context.extend(std::move(sequence));
  context.compute({});
}

/// States after each position from `begin` on, one row a step.
std::vector<State> plain_states(const std::shared_ptr<const Model>& model,
                                const SessionOptions& options, std::int64_t begin,
                                std::int64_t end) {
  Context context(model, options);
  append(context, begin);
  std::vector<State> states = {state_of(context)};
  while (context.length() < end) {
    context.extend_by(some_id(context.length()));
    context.compute({});
    states.push_back(state_of(context));
  }
  return states;
}

struct CacheCase {
  const char* model;
  KvCacheType type;
};

class ComputeAhead : public ::testing::TestWithParam<CacheCase> {};

/// Every draft length with every number of right tokens, one after the other in one context, which
/// is long enough for the rings of the sliding layers to wrap more than once.
TEST_P(ComputeAhead, GivesTheBitsOfPlainStepsWhereverADraftIsRejected) {
  const auto model = Model::load(tiny_model_path(GetParam().model), {.num_threads = 2});
  const SessionOptions options{.context_length = 600, .kv_cache = GetParam().type};
  constexpr std::int64_t kBegin = 5;
  const std::vector<State> expected = plain_states(model, options, kBegin, 420);
  Context context(model, options);
  append(context, kBegin);
  for (std::int64_t drafted = 0; drafted <= 9; ++drafted) {
    for (std::int64_t right = 0; right <= drafted; ++right) {
      const std::int64_t begin = context.length();
      std::vector<TokenId> draft;
      for (std::int64_t i = 0; i < drafted; ++i) {
        draft.push_back(some_id(begin + 1 + i) + (i == right ? 1 : 0));
      }
      context.extend_by(some_id(begin));
      context.compute_ahead(draft);
      expect_same(context, expected[static_cast<std::size_t>(begin - kBegin + 1)], begin);
      for (std::int64_t i = 0; i < right; ++i) {
        context.extend_by(some_id(context.length()));
        ASSERT_TRUE(context.follow_ahead());
        expect_same(context, expected[static_cast<std::size_t>(context.length() - kBegin)],
                    context.length() - 1);
      }
      // The token that the draft has wrong, or the one after the draft.
      context.extend_by(some_id(context.length()));
      ASSERT_FALSE(context.follow_ahead());
      context.compute({});
      expect_same(context, expected[static_cast<std::size_t>(context.length() - kBegin)],
                  context.length() - 1);
    }
  }
  EXPECT_GT(context.length(), 250);
}

INSTANTIATE_TEST_SUITE_P(AllCacheTypes, ComputeAhead,
                         ::testing::Values(CacheCase{"tiny_resaved", KvCacheType::kF32},
                                           CacheCase{"tiny_resaved", KvCacheType::kF16},
                                           CacheCase{"tiny_resaved", KvCacheType::kBf16},
                                           CacheCase{"tiny_resaved", KvCacheType::kInt8},
                                           CacheCase{"tiny_stored", KvCacheType::kF16},
                                           CacheCase{"tiny_bf16", KvCacheType::kAuto},
                                           CacheCase{"tiny_bf16", KvCacheType::kInt8}),
                         [](const auto& values) {
                           return std::string(values.param.model) + "_" +
                                  std::to_string(static_cast<int>(values.param.type));
                         });

TEST(ComputeAheadState, ForgettingADraftLeavesWhatPlainStepsLeave) {
  const auto model = tiny_model();
  Context plain(model, {});
  append(plain, 30);
  Context context(model, {});
  append(context, 29);
  context.extend_by(some_id(29));
  context.compute_ahead(std::vector<TokenId>{40, 41, 42});
  EXPECT_EQ(context.length(), 30) << "a draft is not part of the text";
  context.drop_ahead();
  expect_same(context, state_of(plain), 29);
  append(plain, 20);
  append(context, 20);
  expect_same(context, state_of(plain), 49);
}

TEST(ComputeAheadState, TruncatingForgetsTheDraft) {
  const auto model = tiny_model();
  Context plain(model, {});
  append(plain, 33);
  Context context(model, {});
  append(context, 29);
  context.extend_by(some_id(29));
  context.compute_ahead(std::vector<TokenId>{some_id(30), 41, 42});
  context.extend_by(some_id(30));
  ASSERT_TRUE(context.follow_ahead());
  context.truncate(30);
  append(context, 3);
  expect_same(context, state_of(plain), 32);
}

TEST(ComputeAheadState, ACloneHasTheTextAndNotTheDraft) {
  const auto model = tiny_model();
  Context plain(model, {});
  append(plain, 31);
  Context context(model, {});
  append(context, 29);
  context.extend_by(some_id(29));
  context.compute_ahead(std::vector<TokenId>{some_id(30), 41, 42});
  context.extend_by(some_id(30));
  ASSERT_TRUE(context.follow_ahead());
  Context clone = context.clone();
  expect_same(clone, state_of(plain), 30);
  append(plain, 1);
  append(clone, 1);
  expect_same(clone, state_of(plain), 31);
}

}  // namespace
}  // namespace nolens
