// libswresample, set for quality.
#include <algorithm>
#include <array>
#include <new>

#include "job.h"
#include "mono.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

namespace nolens::media_app {
namespace {

constexpr int kLowestRate = 1'000;
constexpr int kHighestRate = 768'000;

}  // namespace

Resampler::Resampler(int rate) : rate_(rate) {
  if (rate < kLowestRate || rate > kHighestRate) {
    throw Failure{.reason = wire::Reason::kSampleRate, .a = rate};
  }
  if (rate == kOutputRate) {
    return;
  }
  SwrContext* context = nullptr;
  AVChannelLayout mono{};
  av_channel_layout_default(&mono, 1);
  if (swr_alloc_set_opts2(&context, &mono, AV_SAMPLE_FMT_DBLP, kOutputRate, &mono,
                          AV_SAMPLE_FMT_DBLP, rate, 0, nullptr) < 0) {
    throw std::bad_alloc();
  }
  context_.reset(context);
  av_opt_set_int(context, "filter_size", 64, 0);
  av_opt_set_int(context, "exact_rational", 1, 0);
  av_opt_set_int(context, "linear_interp", 1, 0);
  av_opt_set_sample_fmt(context, "internal_sample_fmt", AV_SAMPLE_FMT_DBLP, 0);
  if (swr_init(context) < 0) {
    throw std::bad_alloc();
  }
}

std::vector<float> Resampler::convert(const double* samples, int count) {
  const int space = swr_get_out_samples(context_.get(), count);
  if (space < 0) {
    throw std::bad_alloc();
  }
  std::vector<double> out(static_cast<std::size_t>(space) + 16);
  std::array<std::uint8_t*, 1> to{reinterpret_cast<std::uint8_t*>(out.data())};
  std::array<const std::uint8_t*, 1> from{reinterpret_cast<const std::uint8_t*>(samples)};
  const int made = swr_convert(context_.get(), to.data(), static_cast<int>(out.size()),
                               samples == nullptr ? nullptr : from.data(), count);
  if (made < 0) {
    throw std::bad_alloc();
  }
  given_ += made;
  return {out.begin(), out.begin() + made};
}

std::vector<float> Resampler::push(std::span<const double> samples) {
  taken_ += std::ssize(samples);
  if (!context_) {
    given_ = taken_;
    return {samples.begin(), samples.end()};
  }
  return convert(samples.data(), static_cast<int>(samples.size()));
}

std::vector<float> Resampler::finish() {
  if (!context_) {
    return {};
  }
  const std::int64_t before = given_;
  std::vector<float> rest = convert(nullptr, 0);
  const std::int64_t wanted = (taken_ * kOutputRate + rate_ - 1) / rate_;
  rest.resize(static_cast<std::size_t>(std::max<std::int64_t>(wanted - before, 0)), 0.0F);
  return rest;
}

}  // namespace nolens::media_app
