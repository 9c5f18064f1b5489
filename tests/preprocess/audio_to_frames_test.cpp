#include "preprocess/audio_to_frames.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace nolens {
namespace {

constexpr std::int64_t kFrame = 640;
constexpr std::int64_t kRate = 16'000;

TEST(AudioFrames, CountAPartlyFilledFrameAsOne) {
  EXPECT_EQ(num_audio_frames(0, kFrame), 0);
  EXPECT_EQ(num_audio_frames(1, kFrame), 1);
  EXPECT_EQ(num_audio_frames(640, kFrame), 1);
  EXPECT_EQ(num_audio_frames(641, kFrame), 2);
  EXPECT_EQ(num_audio_frames(30 * kRate, kFrame), 750);
  EXPECT_EQ(num_audio_frames(30 * kRate + 1, kFrame), 751);
}

TEST(AudioFrames, HoldTheSamplesInOrderAndZerosBehindTheEnd) {
  std::vector<float> samples(10);
  std::iota(samples.begin(), samples.end(), 1.0F);
  std::vector<float> rows(3 * 4, -1.0F);
  audio_to_frames(samples, 1, {rows.data(), 3, 4});
  EXPECT_EQ(rows, (std::vector<float>{5, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0}));
}

std::vector<float> noise(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-0.5F, 0.5F);
  std::vector<float> samples(static_cast<std::size_t>(count));
  for (float& sample : samples) {
    sample = uniform(random);
  }
  return samples;
}

TEST(PauseCuts, LeaveAShortSoundWhole) {
  EXPECT_EQ(pause_cuts(noise(30 * kRate, 1), 30 * kRate, kFrame),
            (std::vector<std::int64_t>{30 * kRate}));
  EXPECT_EQ(pause_cuts(noise(1, 1), 30 * kRate, kFrame), (std::vector<std::int64_t>{1}));
}

TEST(PauseCuts, FallIntoThePauses) {
  std::vector<float> samples = noise(80 * kRate, 2);
  const auto silence = [&](double from, double to) {
    std::fill(samples.begin() + static_cast<std::ptrdiff_t>(from * kRate),
              samples.begin() + static_cast<std::ptrdiff_t>(to * kRate), 0.0F);
  };
  silence(21.0, 21.4);
  silence(50.0, 50.4);
  const auto cuts = pause_cuts(samples, 30 * kRate, kFrame);
  ASSERT_EQ(cuts.size(), 3U);
  EXPECT_GT(cuts[0], 21.0 * kRate);
  EXPECT_LT(cuts[0], 21.4 * kRate);
  EXPECT_GT(cuts[1], 50.0 * kRate);
  EXPECT_LT(cuts[1], 50.4 * kRate);
  EXPECT_EQ(cuts[2], 80 * kRate);
}

TEST(PauseCuts, CoverEverySampleInPiecesThatFit) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const auto size = static_cast<std::int64_t>(random() % 400'000 + 1);
    const std::int64_t most = kFrame * static_cast<std::int64_t>(random() % 60 + 2);
    const auto cuts = pause_cuts(noise(size, seed), most, kFrame);
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      ASSERT_GT(cuts[i], begin);
      ASSERT_LE(cuts[i] - begin, most);
      ASSERT_TRUE(cuts[i] % kFrame == 0 || i + 1 == cuts.size());
      begin = cuts[i];
    }
    ASSERT_EQ(begin, size);
  }
}

TEST(PauseCuts, OfSilenceAndOfASteadyToneMakeTheFewestPieces) {
  const std::vector<float> silence(static_cast<std::size_t>(95 * kRate), 0.0F);
  EXPECT_EQ(pause_cuts(silence, 30 * kRate, kFrame).size(), 4U);
  std::vector<float> tone;
  for (std::int64_t i = 0; i < 75 * kRate; ++i) {
    tone.push_back(0.1F * std::sin(0.117F * static_cast<float>(i % 10'000)));
  }
  EXPECT_EQ(pause_cuts(tone, 30 * kRate, kFrame).size(), 3U);
}

}  // namespace
}  // namespace nolens
