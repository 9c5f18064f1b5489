// The mean of the channels.
#include "mono.h"

#include <cmath>
#include <cstring>

#include "job.h"

namespace nolens::media_app {
namespace {

/// Louder is no sound but a mistake, and its square no longer a number that sums well.
constexpr double kLoudest = 1e6;

/// How one sample of type T becomes a number in [-1, 1).
template <typename T>
double value_of(const std::uint8_t* at) {
  T raw;
  std::memcpy(&raw, at, sizeof(T));
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return (static_cast<double>(raw) - 128.0) / 128.0;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<double>(raw) / std::ldexp(1.0, 8 * sizeof(T) - 1);
  } else {
    return static_cast<double>(raw);
  }
}

template <typename T>
void add_channels(const AVFrame& frame, bool planar, std::vector<double>& mean) {
  const auto channels = static_cast<std::size_t>(frame.ch_layout.nb_channels);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const std::uint8_t* data = frame.extended_data[planar ? channel : 0];
    const std::size_t step = sizeof(T) * (planar ? 1 : channels);
    const std::size_t offset = planar ? 0 : channel * sizeof(T);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      mean[i] += value_of<T>(data + i * step + offset);
    }
  }
}

}  // namespace

std::vector<double> mix_to_mono(const AVFrame& frame, std::int64_t first) {
  const int channels = frame.ch_layout.nb_channels;
  const auto format = static_cast<AVSampleFormat>(frame.format);
  if (channels < 1 || frame.nb_samples < 0) {
    throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
  }
  std::vector<double> mean(static_cast<std::size_t>(frame.nb_samples), 0.0);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8: add_channels<std::uint8_t>(frame, planar, mean); break;
    case AV_SAMPLE_FMT_S16: add_channels<std::int16_t>(frame, planar, mean); break;
    case AV_SAMPLE_FMT_S32: add_channels<std::int32_t>(frame, planar, mean); break;
    case AV_SAMPLE_FMT_S64: add_channels<std::int64_t>(frame, planar, mean); break;
    case AV_SAMPLE_FMT_FLT: add_channels<float>(frame, planar, mean); break;
    case AV_SAMPLE_FMT_DBL: add_channels<double>(frame, planar, mean); break;
    default: throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
  }
  for (std::size_t i = 0; i < mean.size(); ++i) {
    mean[i] /= channels;
    // The sum of a value that is not finite is none either.
    if (!std::isfinite(mean[i]) || std::abs(mean[i]) > kLoudest) {
      throw Failure{
          .reason = std::isfinite(mean[i]) ? wire::Reason::kTooLoud : wire::Reason::kNotFinite,
          .a = first + static_cast<std::int64_t>(i)};
    }
  }
  return mean;
}

}  // namespace nolens::media_app
