// Cutting of sound: into frames, and at pauses.
#include "preprocess/audio_to_frames.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"
#include "core/checked_math.h"
#include "nolens/media.h"

namespace nolens {

namespace {

/// A pause between words lasts about this long; the power is averaged over it.
constexpr std::int64_t kPauseSamples = kAudioSampleRate / 5;
/// Powers whose ratio is below this are the same to an ear (1 dB).
constexpr double kNearlyEqual = 1.25;

/// Sum of squares of each frame.
std::vector<double> frame_powers(std::span<const float> samples, std::int64_t frame_size) {
  const auto size = static_cast<std::int64_t>(samples.size());
  std::vector<double> powers(static_cast<std::size_t>(num_audio_frames(size, frame_size)));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    powers[i / static_cast<std::size_t>(frame_size)] +=
        static_cast<double>(samples[i]) * static_cast<double>(samples[i]);
  }
  return powers;
}

/// Power of the `width` frames before and after a frame border.
double power_around(std::span<const double> powers, std::int64_t border, std::int64_t width) {
  const std::int64_t begin = std::max<std::int64_t>(border - width, 0);
  const std::int64_t end = std::min(border + width, static_cast<std::int64_t>(powers.size()));
  return std::accumulate(powers.begin() + begin, powers.begin() + end, 0.0);
}

/// The latest frame border in [first, last] that is as quiet as the quietest one, or nearly: late cuts make
/// few pieces.
std::int64_t quiet_border(std::span<const double> powers, std::int64_t first, std::int64_t last,
                          std::int64_t width) {
  double least = power_around(powers, last, width);
  for (std::int64_t border = first; border < last; ++border) {
    least = std::min(least, power_around(powers, border, width));
  }
  std::int64_t border = last;
  while (power_around(powers, border, width) > kNearlyEqual * least) {
    --border;
  }
  return border;
}

}  // namespace

std::int64_t num_audio_frames(std::int64_t samples, std::int64_t frame_size) noexcept {
  return samples / frame_size + (samples % frame_size != 0 ? 1 : 0);
}

void audio_to_frames(std::span<const float> samples, std::int64_t first_frame, Matrix frames) {
  NOLENS_CHECK(first_frame >= 0);
  const auto size = static_cast<std::int64_t>(samples.size());
  for (std::int64_t i = 0; i < frames.rows; ++i) {
    const std::int64_t begin = std::min((first_frame + i) * frames.cols, size);
    const std::int64_t end = std::min(begin + frames.cols, size);
    float* row = frames.row(i);
    std::copy(samples.begin() + begin, samples.begin() + end, row);
    std::fill(row + (end - begin), row + frames.cols, 0.0F);
  }
}

std::vector<std::int64_t> pause_cuts(std::span<const float> samples, std::int64_t max_samples,
                                     std::int64_t frame_size) {
  NOLENS_CHECK(frame_size > 0 && max_samples >= 2 * frame_size && max_samples % frame_size == 0);
  const auto size = static_cast<std::int64_t>(samples.size());
  const std::vector<double> powers = frame_powers(samples, frame_size);
  const std::int64_t room = max_samples / frame_size;
  const std::int64_t width = std::max<std::int64_t>(1, kPauseSamples / frame_size / 2);
  std::vector<std::int64_t> cuts;
  std::int64_t begin = 0;
  while (size - begin * frame_size > max_samples) {
    begin = quiet_border(powers, begin + room / 2, begin + room, width);
    cuts.push_back(begin * frame_size);
  }
  cuts.push_back(size);
  return cuts;
}

}  // namespace nolens
