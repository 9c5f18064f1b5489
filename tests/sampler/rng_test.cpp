// The random stream: reproducible, uniform, different for different seeds.
#include "sampler/rng.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace nolens {
namespace {

TEST(Rng, ANumberDependsOnSeedAndPositionAlone) {
  EXPECT_EQ(uniform(7, 3), uniform(7, 3));
  EXPECT_NE(uniform(7, 3), uniform(7, 4));
  EXPECT_NE(uniform(7, 3), uniform(8, 3));
}

TEST(Rng, TheMixerIsSplitMix64) {
  // First outputs of the published generator for seed 1234567.
  std::uint64_t state = 1234567;
  const auto next = [&state] { return mix_bits(state += 0x9E37'79B9'7F4A'7C15U); };
  EXPECT_EQ(next(), 6457827717110365317U);
  EXPECT_EQ(next(), 3203168211198807973U);
  EXPECT_EQ(next(), 9817491932198370423U);
}

TEST(Rng, NumbersStayBelowOneAndFillTheRangeEvenly) {
  constexpr int kDraws = 100'000;
  std::array<int, 16> bins{};
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double value = uniform(42, i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ++bins[static_cast<std::size_t>(value * 16.0)];
  }
  double chi_square = 0.0;
  for (const int count : bins) {
    const double difference = count - kDraws / 16.0;
    chi_square += difference * difference / (kDraws / 16.0);
  }
  EXPECT_LT(chi_square, 37.7);  // 15 degrees of freedom, 0.1 %
}

TEST(Rng, NeighbouringSeedsShareNoNumbers) {
  std::set<double> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (std::uint64_t position = 0; position < 50; ++position) {
      EXPECT_TRUE(seen.insert(uniform(seed, position)).second) << seed << ", " << position;
    }
  }
}

}  // namespace
}  // namespace nolens
