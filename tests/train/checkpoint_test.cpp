#include "checkpoint.h"

#include <chrono>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "modules.h"

namespace nolens::train {
namespace {

using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  struct State {
    explicit State(const ModelConfig& config)
        : parameters(parameter_specs(config, {}), 3, at::kCPU), optimizer(parameters, options()) {}
    static AdamWOptions options() {
      AdamWOptions o;
      o.average_decay = 0.9;
      return o;
    }
    ParameterSet parameters;
    AdamW optimizer;
    void learn(double value) {
      const at::NoGradGuard no_gradients;
      parameters.gradients().fill_(value);
      optimizer.step(0.01, optimizer.gradient_norm());
    }
  };

  CheckpointFolder folder() const { return {model_.folder.path() / "checkpoints", {{"batch", 8}}}; }
  static bool equal(const State& a, const State& b) {
    return at::equal(a.parameters.values(), b.parameters.values()) &&
           at::equal(a.optimizer.first_moment(), b.optimizer.first_moment()) &&
           at::equal(a.optimizer.second_moment(), b.optimizer.second_moment()) &&
           at::equal(a.optimizer.average(), b.optimizer.average()) &&
           a.optimizer.updates() == b.optimizer.updates();
  }

  SmallModel model_;
};

TEST_F(CheckpointTest, RestoresTheWholeState) {
  State a(model_.config);
  a.learn(0.1);
  a.learn(-0.2);
  folder().save({17, 2, 0.5}, a.parameters, a.optimizer);
  State b(model_.config);
  ASSERT_FALSE(equal(a, b));
  const auto state = folder().load(b.parameters, b.optimizer, [](const std::string&) { FAIL(); });
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->step, 17);
  EXPECT_EQ(state->skipped_steps, 2);
  EXPECT_TRUE(equal(a, b));
}

TEST_F(CheckpointTest, KeepsTheTwoNewest) {
  State a(model_.config);
  for (const std::int64_t step : {5, 9, 10, 100}) {
    folder().save({step, 0, 0.0}, a.parameters, a.optimizer);
  }
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(model_.folder.path() / "checkpoints")) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("step-00000010", "step-00000100"));
}

TEST_F(CheckpointTest, ABrokenNewestFallsBackWithASentence) {
  State a(model_.config);
  a.learn(0.1);
  folder().save({10, 0, 0.0}, a.parameters, a.optimizer);
  State later(model_.config);
  later.learn(0.3);
  const auto newest = model_.folder.path() / "checkpoints" / "step-00000020";
  for (const char* file : {"state.safetensors", "state.json"}) {
    folder().save({20, 0, 0.0}, later.parameters, later.optimizer);
    std::filesystem::resize_file(newest / file, std::filesystem::file_size(newest / file) / 2);
    State b(model_.config);
    std::string warning;
    const auto state = folder().load(b.parameters, b.optimizer,
                                     [&](const std::string& sentence) { warning += sentence; });
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->step, 10);
    EXPECT_TRUE(equal(a, b));
    EXPECT_THAT(warning, HasSubstr("step-00000020"));
  }
}

TEST_F(CheckpointTest, EveryFlippedBitIsFoundOrHarmless) {
  State a(model_.config);
  a.learn(0.1);
  folder().save({10, 0, 0.25}, a.parameters, a.optimizer);
  State later(model_.config);
  later.learn(0.3);
  folder().save({20, 1, 0.75}, later.parameters, later.optimizer);
  const auto newest = model_.folder.path() / "checkpoints" / "step-00000020";
  std::mt19937_64 random(7);
  int found = 0;
  State b(model_.config);
  const at::NoGradGuard no_gradients;
  for (const char* file : {"state.safetensors", "state.json"}) {
    const std::string whole = read_text(newest / file);
    for (int i = 0; i < 500; ++i) {
      std::string damaged = whole;
      char& byte = damaged[random() % damaged.size()];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random() % 8));
      write_text(newest / file, damaged);
      b.parameters.values().fill_(7);
      bool warned = false;
      const auto state =
          folder().load(b.parameters, b.optimizer, [&](const std::string&) { warned = true; });
      ASSERT_TRUE(state.has_value());
      ASSERT_EQ(state->step, warned ? 10 : 20);
      ASSERT_EQ(state->best_score, warned ? 0.25 : 0.75);
      ASSERT_TRUE(equal(warned ? a : later, b));
      found += warned ? 1 : 0;
    }
    write_text(newest / file, whole);
  }
  EXPECT_GT(found, 900);
}

TEST_F(CheckpointTest, TheNewestIsTheOneOfTheHighestStep) {
  State a(model_.config);
  for (const std::int64_t step : {99'999'999, 100'000'000}) {
    folder().save({step, 0, 0.0}, a.parameters, a.optimizer);
  }
  const auto checkpoints = model_.folder.path() / "checkpoints";
  std::filesystem::last_write_time(
      checkpoints / "step-99999999",
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(24));
  EXPECT_EQ(folder().load(a.parameters, a.optimizer, [](const std::string&) {})->step, 100'000'000);
}

// Two later ones may be unreadable when an interrupted removal left the third newest.
TEST_F(CheckpointTest, UnreadableLaterOnesDoNotCrowdOutTheValidOnes) {
  State a(model_.config);
  const auto checkpoints = model_.folder.path() / "checkpoints";
  folder().save({20, 0, 0.0}, a.parameters, a.optimizer);
  for (const char* name : {"step-00000030", "step-00000040"}) {
    std::filesystem::create_directories(checkpoints / name);
  }
  folder().save({22, 0, 0.0}, a.parameters, a.optimizer);
  EXPECT_EQ(folder().load(a.parameters, a.optimizer, [](const std::string&) {})->step, 22);
  EXPECT_TRUE(std::filesystem::exists(checkpoints / "step-00000020"));
  folder().save({30, 0, 0.0}, a.parameters, a.optimizer);
  EXPECT_EQ(folder().load(a.parameters, a.optimizer, [](const std::string&) {})->step, 30);
}

TEST_F(CheckpointTest, WhatKilledRunsLeftGoesAway) {
  State a(model_.config);
  const auto checkpoints = model_.folder.path() / "checkpoints";
  for (const char* name : {"step-00000007.tmp", "step-00000003.old.tmp"}) {
    std::filesystem::create_directories(checkpoints / name);
    write_text(checkpoints / name / "state.json", "half");
  }
  folder().save({9, 0, 0.0}, a.parameters, a.optimizer);
  EXPECT_FALSE(std::filesystem::exists(checkpoints / "step-00000007.tmp"));
  EXPECT_FALSE(std::filesystem::exists(checkpoints / "step-00000003.old.tmp"));
}

TEST_F(CheckpointTest, AnUnfinishedFolderIsNoCheckpoint) {
  std::filesystem::create_directories(model_.folder.path() / "checkpoints" / "step-00000030.tmp");
  EXPECT_FALSE(folder().has_any());
  State a(model_.config);
  EXPECT_FALSE(folder().load(a.parameters, a.optimizer, [](const std::string&) {}).has_value());
}

TEST_F(CheckpointTest, OtherOptionsAreAUsageErrorThatNamesThemAll) {
  State a(model_.config);
  const CheckpointFolder checkpoints(model_.folder.path() / "checkpoints",
                                     {{"batch", 8}, {"seed", 1}, {"steps", 5}});
  checkpoints.save({10, 0, 0.0}, a.parameters, a.optimizer);
  const CheckpointFolder other(model_.folder.path() / "checkpoints",
                               {{"batch", 16}, {"seed", 2}, {"steps", 5}});
  try {
    other.load(a.parameters, a.optimizer, [](const std::string&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("--batch 8, not 16, --seed 1, not 2;"));
  }
}

TEST_F(CheckpointTest, WithoutAReadableOneItIsAModelError) {
  State a(model_.config);
  folder().save({10, 0, 0.0}, a.parameters, a.optimizer);
  write_text(model_.folder.path() / "checkpoints" / "step-00000010" / "state.json", "{");
  try {
    folder().load(a.parameters, a.optimizer, [](const std::string&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
  }
}

}  // namespace
}  // namespace nolens::train
