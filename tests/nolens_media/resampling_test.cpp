// Resampling against the exact answer: the sweep that was sampled at one rate, computed at the
// other.
#include "media_files.h"

namespace nolens {
namespace {

/// A linear sweep from 50 to 7000 Hz in `seconds`, faded in and out so that it is band-limited.
double sweep(double t, double seconds) {
  if (t < 0.0 || t > seconds) {
    return 0.0;
  }
  constexpr double kLow = 50.0;
  constexpr double kHigh = 7000.0;
  const double phase =
      2.0 * std::numbers::pi * (kLow * t + (kHigh - kLow) * t * t / (2.0 * seconds));
  const double fade = std::sin(std::numbers::pi * t / seconds);
  return 0.5 * fade * fade * std::sin(phase);
}

/// Error of the resampled sweep in decibels of the sweep itself.
double error_db(std::uint32_t rate) {
  constexpr double kSeconds = 1.0;
  Wav wav{.format = 3, .rate = rate, .bits = 64};
  const auto count = static_cast<std::size_t>(kSeconds * rate);
  for (std::size_t i = 0; i < count; ++i) {
    wav.add(sweep(static_cast<double>(i) / rate, kSeconds));
  }
  const Audio audio = sound(wav.bytes());
  EXPECT_EQ(audio.samples.size(), 16'000U) << rate;
  double error = 0.0;
  double energy = 0.0;
  for (std::size_t i = 0; i < audio.samples.size(); ++i) {
    const double exact = sweep(static_cast<double>(i) / kAudioSampleRate, kSeconds);
    error += (audio.samples[i] - exact) * (audio.samples[i] - exact);
    energy += exact * exact;
  }
  return 10.0 * std::log10(error / energy);
}

TEST(Resampling, ASweepArrivesWithLessThanAThousandthOfError) {
  for (const std::uint32_t rate :
       {22'050U, 24'000U, 32'000U, 44'100U, 48'000U, 88'200U, 96'000U, 192'000U, 655'350U}) {
    EXPECT_LT(error_db(rate), -60.0) << rate;
  }
  EXPECT_LT(error_db(16'000), -140.0) << "nothing is done at the same rate";
}

TEST(Resampling, TonesAboveTheNewLimitVanish) {
  const Audio audio = sound(sine(48'000, 10'000, 48'000).bytes());
  for (std::size_t i = 1000; i < 15'000; ++i) {
    ASSERT_LT(std::abs(audio.samples[i]), 1e-3F);
  }
}

TEST(Resampling, LowRatesAreFilledIn) {
  for (const std::uint32_t rate : {1000U, 8000U, 11'025U}) {
    const Audio audio = sound(sine(rate, 200, rate).bytes());
    ASSERT_EQ(audio.samples.size(), 16'000U) << rate;
    EXPECT_NEAR(amplitude_of(audio, 200, 4000, 12'000), 0.5, 0.002) << rate;
  }
}

TEST(Resampling, LengthIsThatOfTheSoundRoundedUp) {
  for (const std::uint32_t rate : {8000U, 11'025U, 44'100U, 48'000U, 96'000U}) {
    for (const std::size_t count : {1U, 2U, 10U, 1000U, 4411U}) {
      const std::size_t expected = (count * 16'000 + rate - 1) / rate;
      EXPECT_EQ(sound(sine(rate, 100, count).bytes()).samples.size(), expected)
          << count << " at " << rate;
    }
  }
}

}  // namespace
}  // namespace nolens
