#include "group_source.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "fixture.h"

namespace nolens::train {
namespace {

class GroupSourceTest : public testing::Test {
 protected:
  /// Eleven text conversations: an epoch is not a multiple of a batch.
  GroupSourceTest() {
    for (int i = 0; i < 11; ++i) {
      Example example;
      example.prefix = {model_.config.tokens.bos};
      example.key = std::to_string(i);
      example.caption = "a";
      example.branches = {encoder_.branch({5, 6}, "yes"), encoder_.branch({7, 8}, "no")};
      data_.examples.push_back(std::move(example));
    }
    options_.groups_per_step = 4;
    options_.branches = 1;
  }
  SmallModel model_;
  PromptEncoder encoder_{model_.tokenizer, model_.config};
  Dataset data_;
  SourceOptions options_;
};

TEST_F(GroupSourceTest, EveryEpochShowsEverySampleOnceInANewOrder) {
  GroupSource source(data_, encoder_, model_.config, options_);
  std::vector<std::string> keys;
  for (std::int64_t step = 0; step < 11; ++step) {
    for (std::int64_t slot = 0; slot < 4; ++slot) {
      keys.push_back(source.make(step, slot).picture_key);
    }
  }
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    std::map<std::string, int> count;
    for (std::size_t i = 0; i < 11; ++i) {
      ++count[keys[epoch * 11 + i]];
    }
    EXPECT_EQ(count.size(), 11U);
  }
  EXPECT_NE(std::vector(keys.begin(), keys.begin() + 11),
            std::vector(keys.begin() + 11, keys.begin() + 22));
}

TEST_F(GroupSourceTest, AGroupDependsOnlyOnSeedStepAndSlot) {
  options_.drawings_share = 0.5;
  GroupSource in_order(data_, encoder_, model_.config, options_);
  GroupSource jumping(data_, encoder_, model_.config, options_);
  for (const std::int64_t step : {9, 2, 30, 0}) {
    for (std::int64_t slot = 3; slot >= 0; --slot) {
      (void)jumping.make(step + 1, slot);
      const Group a = in_order.make(step, slot);
      const Group b = jumping.make(step, slot);
      EXPECT_EQ(a.picture_key, b.picture_key);
      EXPECT_EQ(a.prefix, b.prefix);
      EXPECT_EQ(a.branches[0].tokens, b.branches[0].tokens);
      ASSERT_EQ(a.pictures.size(), b.pictures.size());
      if (!a.pictures.empty()) {
        EXPECT_EQ(a.pictures[0].values, b.pictures[0].values);
      }
    }
  }
}

TEST_F(GroupSourceTest, DrawingsFillTheirShareAndCarryTheirTruth) {
  options_.drawings_share = 0.75;
  GroupSource source(data_, encoder_, model_.config, options_);
  for (std::int64_t step = 0; step < 5; ++step) {
    EXPECT_FALSE(source.make(step, 0).label.has_value());
    for (std::int64_t slot = 1; slot < 4; ++slot) {
      const Group group = source.make(step, slot);
      ASSERT_TRUE(group.label.has_value());
      EXPECT_EQ(group.pictures[0].count(),
                std::count(group.prefix.begin(), group.prefix.end(), model_.config.tokens.image));
    }
  }
}

TEST_F(GroupSourceTest, NothingToTrainOnIsAUsageError) {
  const Dataset empty;
  try {
    const GroupSource source(empty, encoder_, model_.config, options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace nolens::train
