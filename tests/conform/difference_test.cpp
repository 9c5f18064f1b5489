#include "conform/difference.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace nolens {
namespace {

using Row = std::vector<float>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(DifferenceMeter, MeasuresLargestMeanAndMagnitude) {
  DifferenceMeter meter;
  meter.add(5, Row{1.0F, -8.0F}, Row{1.0F, -8.0F});
  meter.add(6, Row{2.0F, 4.0F}, Row{2.5F, 2.5F});
  const Difference difference = meter.result();
  EXPECT_EQ(difference.max_abs, 1.5);
  EXPECT_EQ(difference.mean_abs, 0.5);
  EXPECT_EQ(difference.largest, 8.0);
  EXPECT_EQ(difference.rows, 2);
  EXPECT_EQ(difference.worst_row, 6);
}

TEST(DifferenceMeter, KeepsTheLowestCosineOfARow) {
  DifferenceMeter meter;
  meter.add(0, Row{1.0F, 0.0F}, Row{1.0F, 1.0F});
  meter.add(1, Row{3.0F, 4.0F}, Row{6.0F, 8.0F});
  EXPECT_NEAR(meter.result().min_cosine, std::sqrt(0.5), 1e-12);
}

TEST(DifferenceMeter, RowsOfZerosAgreeWithZerosOnly) {
  DifferenceMeter same;
  same.add(0, Row{0.0F, 0.0F}, Row{0.0F, 0.0F});
  EXPECT_EQ(same.result().min_cosine, 1.0);
  DifferenceMeter other;
  other.add(0, Row{0.0F, 0.0F}, Row{0.0F, 1.0F});
  EXPECT_EQ(other.result().min_cosine, 0.0);
}

TEST(DifferenceMeter, ValuesOfTheEngineThatAreNotFiniteAreInfinitelyFar) {
  DifferenceMeter meter;
  meter.add(0, Row{1.0F, 2.0F}, Row{kNaN, 2.0F});
  meter.add(1, Row{1.0F, 2.0F}, Row{1.0F, 2.0F});
  EXPECT_TRUE(std::isinf(meter.result().max_abs));
  EXPECT_FALSE(meter.result().min_cosine >= 0.0);
}

TEST(KlDivergence, IsZeroForTheSameDistribution) {
  const Row logits{1.0F, 2.0F, -3.0F};
  EXPECT_EQ(kl_divergence(logits, logits), 0.0);
  EXPECT_NEAR(kl_divergence(logits, Row{101.0F, 102.0F, 97.0F}), 0.0, 1e-12) << "shifted";
}

TEST(KlDivergence, IsThatOfTheProbabilities) {
  // p = (1/2, 1/2), q = (1/4, 3/4): 1/2 ln 2 + 1/2 ln 2/3
  EXPECT_NEAR(kl_divergence(Row{0.0F, 0.0F}, Row{0.0F, std::log(3.0F)}),
              0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3.0), 1e-7);
}

TEST(KlDivergence, DoesNotOverflow) {
  EXPECT_NEAR(kl_divergence(Row{3e38F, 0.0F}, Row{3e38F, 0.0F}), 0.0, 1e-12);
}

TEST(TopTwo, TakesTheFirstOfEqualsAndTheDistanceToTheNext) {
  const TopTwo equal = top_two(Row{1.0F, 3.0F, 3.0F});
  EXPECT_EQ(equal.best, 1);
  EXPECT_EQ(equal.margin, 0.0);
  const TopTwo apart = top_two(Row{5.0F, 1.0F, 3.0F});
  EXPECT_EQ(apart.best, 0);
  EXPECT_EQ(apart.margin, 2.0);
}

TEST(TopTwo, LeavesSuppressedTokensOut) {
  const TopTwo top = top_two(Row{1.0F, 9.0F, 3.0F}, {false, true, false});
  EXPECT_EQ(top.best, 2);
  EXPECT_EQ(top.margin, 2.0);
}

}  // namespace
}  // namespace nolens
