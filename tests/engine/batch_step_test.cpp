#include "engine/batch_step.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::question;
using testing::striped_picture;
using testing::tiny_model;

Context waiting_context(const std::shared_ptr<const Model>& model, const Prompt& prompt) {
  Context context(model, {});
  context.extend(lay_out_prompt(model->config(), model->tokenizer(), prompt, 0, 0));
  return context;
}

std::vector<float> logits_alone(const std::shared_ptr<const Model>& model, const Prompt& prompt) {
  Session session(model);
  session.append(prompt);
  return {session.logits().begin(), session.logits().end()};
}

std::vector<float> logits_of(const Context& context) {
  return {context.logits().begin(), context.logits().end()};
}

TEST(BatchStep, LayerByLayerWithOtherStepsBetweenGivesTheSameBits) {
  const auto model = tiny_model();
  const Prompt picture = question(striped_picture(60, 40, 2), "What is it?");
  Context first = waiting_context(model, picture);
  Context second = waiting_context(model, question("And you?"));
  Context third = waiting_context(model, question("I come between."));
  BatchStep shared(model->impl());
  BatchStep other(model->impl());
  const std::vector<StepPart> parts = {{&first, first.length()}, {&second, second.length()}};
  shared.begin(parts);
  other.begin(std::vector<StepPart>{{&third, third.length()}});
  bool other_is_over = false;
  while (!shared.run(1)) {
    if (!other_is_over) {
      other_is_over = other.run(2);
    }
  }
  while (!other_is_over) {
    other_is_over = other.run(1);
  }
  shared.take_logits(0);
  shared.take_logits(1);
  other.take_logits(0);
  EXPECT_EQ(logits_of(first), logits_alone(model, picture));
  EXPECT_EQ(logits_of(second), logits_alone(model, question("And you?")));
  EXPECT_EQ(logits_of(third), logits_alone(model, question("I come between.")));
}

TEST(BatchStep, OnlyACompletePartHasLogits) {
  const auto model = tiny_model();
  Context half = waiting_context(model, question("Half of this question comes later."));
  Context whole = waiting_context(model, question("All of it now."));
  BatchStep step(model->impl());
  const std::int64_t rows = half.length() / 2;
  step.begin(std::vector<StepPart>{{&half, rows}, {&whole, whole.length()}});
  EXPECT_TRUE(step.run(100));
  step.take_logits(0);
  step.take_logits(1);
  EXPECT_THROW(static_cast<void>(half.logits()), Error);
  EXPECT_EQ(logits_of(whole), logits_alone(model, question("All of it now.")));
  step.begin(std::vector<StepPart>{{&half, half.length() - rows}});
  EXPECT_TRUE(step.run(100));
  step.take_logits(0);
  EXPECT_EQ(logits_of(half), logits_alone(model, question("Half of this question comes later.")));
}

TEST(BatchStep, AnAbandonedStepCanBeTakenAgain) {
  const auto model = tiny_model();
  const Prompt picture = question(striped_picture(60, 40, 2), "What is it?");
  Context context = waiting_context(model, picture);
  BatchStep step(model->impl());
  const std::vector<StepPart> parts = {{&context, context.length()}};
  step.begin(parts);
  EXPECT_FALSE(step.run(2));
  step.abandon();
  EXPECT_FALSE(step.running());
  EXPECT_EQ(context.cached_length(), 0);
  step.begin(parts);
  EXPECT_TRUE(step.run(100));
  step.take_logits(0);
  EXPECT_EQ(logits_of(context), logits_alone(model, picture));
}

}  // namespace
}  // namespace nolens
