// Decoded samples of any kind -> one channel; one channel at any rate -> 16 kHz.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

extern "C" {
#include <libavutil/frame.h>
#include <libswresample/swresample.h>
}

namespace nolens::media_app {

/// The mean of the channels in [-1, 1] (float formats: as they are), one value a moment. `first` is
/// the number of the frame's first sample, for messages. \throws Failure on values that are not
/// finite or absurd
std::vector<double> mix_to_mono(const AVFrame& frame, std::int64_t first);

/// Resamples in double precision with a windowed sinc of 64 taps. ceil(n * 16000 / rate)
/// samples come out for n that went in; the first stays the first.
class Resampler {
 public:
  /// \throws Failure{kSampleRate}, std::bad_alloc
  explicit Resampler(int rate);

  std::vector<float> push(std::span<const double> samples);
  /// The rest.
  std::vector<float> finish();
  [[nodiscard]] int rate() const noexcept { return rate_; }

 private:
  struct Free {
    void operator()(SwrContext* context) const noexcept { swr_free(&context); }
  };
  std::vector<float> convert(const double* samples, int count);

  int rate_;
  std::unique_ptr<SwrContext, Free> context_;  // none at 16 kHz
  std::int64_t taken_ = 0;
  std::int64_t given_ = 0;
};

}  // namespace nolens::media_app
