#include "checkpoint.h"

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

  CheckpointFolder folder(std::int64_t batch = 8) const {
    return {model_.folder.path() / "checkpoints", {{"batch", batch}}};
  }
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

TEST_F(CheckpointTest, AnUnfinishedFolderIsNoCheckpoint) {
  std::filesystem::create_directories(model_.folder.path() / "checkpoints" / "step-00000030.tmp");
  EXPECT_FALSE(folder().has_any());
  State a(model_.config);
  EXPECT_FALSE(folder().load(a.parameters, a.optimizer, [](const std::string&) {}).has_value());
}

TEST_F(CheckpointTest, OtherOptionsAreAUsageErrorThatNamesTheOption) {
  State a(model_.config);
  folder(8).save({10, 0, 0.0}, a.parameters, a.optimizer);
  try {
    folder(16).load(a.parameters, a.optimizer, [](const std::string&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("--batch 8, not 16"));
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
