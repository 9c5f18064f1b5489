#include "conform/verdict.h"

#include <limits>

#include <gtest/gtest.h>

namespace nolens {
namespace {

const ConformTolerances kFloat32 = default_tolerances(SourceDtype::kFloat32);
const ConformTolerances kBfloat16 = default_tolerances(SourceDtype::kBfloat16);

Difference apart(double max_abs, double largest = 1.0, double cosine = 1.0) {
  return {.max_abs = max_abs, .min_cosine = cosine, .largest = largest};
}

TEST(Verdict, PixelsAndPatchesMustBeIdentical) {
  for (const ConformStage stage : {ConformStage::kPixels, ConformStage::kPatches}) {
    for (const ConformTolerances& tolerances : {kFloat32, kBfloat16}) {
      EXPECT_TRUE(is_within(stage, apart(0.0), tolerances));
      EXPECT_FALSE(is_within(stage, apart(1e-9), tolerances));
    }
  }
}

TEST(Verdict, Float32BarsAreThoseOfTheProject) {
  EXPECT_TRUE(is_within(ConformStage::kSoftTokens, apart(1e-5), kFloat32));
  EXPECT_FALSE(is_within(ConformStage::kInputEmbeddings, apart(1.1e-5), kFloat32));
  EXPECT_TRUE(is_within(ConformStage::kLogits, apart(2e-4), kFloat32));
  EXPECT_FALSE(is_within(ConformStage::kLogits, apart(2.1e-4), kFloat32));
}

TEST(Verdict, HiddenStatesAreMeasuredAgainstTheirLargestValue) {
  const double bar = 100 * 0x1p-24;
  EXPECT_TRUE(is_within(ConformStage::kLayer, apart(50 * bar, 50.0), kFloat32));
  EXPECT_FALSE(is_within(ConformStage::kLayer, apart(51 * bar, 50.0), kFloat32));
}

TEST(Verdict, Bfloat16IsJudgedByDirectionAndDistribution) {
  EXPECT_TRUE(is_within(ConformStage::kLayer, apart(7.0, 10.0, 0.995), kBfloat16));
  EXPECT_FALSE(is_within(ConformStage::kLayer, apart(0.1, 10.0, 0.98), kBfloat16));
  EXPECT_TRUE(is_within({.mean_kl = 0.01}, kBfloat16));
  EXPECT_FALSE(is_within({.mean_kl = 0.03}, kBfloat16));
}

TEST(Verdict, WhatIsNotANumberIsNeverWithin) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(is_within(ConformStage::kLogits, apart(nan), kFloat32));
  EXPECT_FALSE(is_within(ConformStage::kLayer, apart(nan, 1.0), kFloat32));
  EXPECT_FALSE(is_within(ConformStage::kLayer, apart(0.0, 1.0, nan), kBfloat16));
  EXPECT_FALSE(is_within(LogitsAgreement{.mean_kl = nan}, kBfloat16));
}

TEST(Verdict, GreedyTokensMayDifferWhereTheReferenceWasUndecided) {
  const GreedyAgreement close{
      .count = 4, .same = 3, .first_difference = 2, .reference_margin = 0.25};
  const GreedyAgreement clear{
      .count = 4, .same = 3, .first_difference = 2, .reference_margin = 0.75};
  EXPECT_TRUE(is_within(GreedyAgreement{.count = 4, .same = 4}, kFloat32));
  EXPECT_FALSE(is_within(close, kFloat32));
  EXPECT_TRUE(is_within(close, kBfloat16));
  EXPECT_FALSE(is_within(clear, kBfloat16));
}

TEST(Verdict, AGivenToleranceReplacesTheDefaultAndLeavesTheOthers) {
  const ConformTolerances chosen = chosen_tolerances({.logits = 1.0}, SourceDtype::kFloat32);
  EXPECT_EQ(chosen.logits, 1.0);
  EXPECT_EQ(chosen.embeddings, kFloat32.embeddings);
  EXPECT_EQ(chosen.cosine, std::nullopt);
}

}  // namespace
}  // namespace nolens
