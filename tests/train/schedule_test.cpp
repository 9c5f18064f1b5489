#include "schedule.h"

#include <gtest/gtest.h>

namespace nolens::train {
namespace {

TEST(Schedule, RisesToThePeakThenFallsToTheFinalShare) {
  const Schedule schedule{2e-3, 10, 110, 0.1};
  EXPECT_DOUBLE_EQ(schedule.rate(0), 2e-4);
  EXPECT_DOUBLE_EQ(schedule.rate(9), 2e-3);
  EXPECT_NEAR(schedule.rate(109), 2e-4, 1e-12);
  for (std::int64_t step = 10; step < 109; ++step) {
    EXPECT_GT(schedule.rate(step), schedule.rate(step + 1)) << step;
  }
}

TEST(Schedule, TheMiddleOfTheCosineIsHalfWay) {
  const Schedule schedule{1.0, 0, 100, 0.0};
  EXPECT_NEAR(schedule.rate(49), 0.5, 1e-12);
}

}  // namespace
}  // namespace nolens::train
