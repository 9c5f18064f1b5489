#include "decoder/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nolens {
namespace {

TEST(RopeTable, DefaultFrequenciesOfTheReleasedModel) {
  const auto f = rope_frequencies({.rope_type = RopeType::kDefault, .rope_theta = 10'000.0}, 256);
  ASSERT_EQ(f.size(), 128U);
  EXPECT_FLOAT_EQ(f[0], 1.0F);
  EXPECT_FLOAT_EQ(f[1], 0.93057204F);
  EXPECT_FLOAT_EQ(f[64], 0.01F);
  EXPECT_FLOAT_EQ(f[127], 1.0746078e-4F);
}

TEST(RopeTable, ProportionalFrequenciesDivideByTheWholeHead) {
  const auto f = rope_frequencies({.rope_type = RopeType::kProportional,
                                   .rope_theta = 1'000'000.0,
                                   .partial_rotary_factor = 0.25},
                                  512);
  ASSERT_EQ(f.size(), 256U);
  EXPECT_FLOAT_EQ(f[1], 0.94746353F);
  EXPECT_FLOAT_EQ(f[2], 0.89768713F);
  EXPECT_FLOAT_EQ(f[62], 0.03522695F);
  EXPECT_FLOAT_EQ(f[63], 0.03337625F);
  for (std::size_t i = 64; i < f.size(); ++i) {
    EXPECT_EQ(f[i], 0.0F) << i;
  }
}

TEST(RopeTable, FactorDividesEveryFrequency) {
  const auto plain = rope_frequencies({}, 16);
  const auto scaled = rope_frequencies({.factor = 4.0}, 16);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_FLOAT_EQ(scaled[i], plain[i] / 4.0F);
  }
}

TEST(RopeTable, HoldsCosinesAndSinesOfPositionTimesFrequency) {
  const std::vector<float> frequencies = {1.0F, 0.25F, 0.0F};
  const std::vector<std::int64_t> positions = {0, 3, 262'143};
  std::vector<float> cos(9);
  std::vector<float> sin(9);
  fill_rope_table(frequencies, positions, {cos.data(), 3, 3}, {sin.data(), 3, 3});
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < 3; ++i) {
      const double angle = static_cast<double>(positions[t]) * static_cast<double>(frequencies[i]);
      EXPECT_NEAR(cos[t * 3 + i], std::cos(angle), 1e-7);
      EXPECT_NEAR(sin[t * 3 + i], std::sin(angle), 1e-7);
    }
  }
}

}  // namespace
}  // namespace nolens
