// A sound from its packets to mono samples at 16 kHz.
#include <algorithm>
#include <cmath>
#include <optional>

#include "codecs.h"
#include "mono.h"

namespace nolens::media_app {
namespace {

class SoundJob {
 public:
  SoundJob(const Job& job, Sink& sink)
      : job_(job),
        sink_(sink),
        demuxer_(job, AVMEDIA_TYPE_AUDIO),
        decoder_(*demuxer_.stream().codecpar, demuxer_.stream().time_base, job.limits),
        tolerant_(job.format == "mp3") {}

  void run() {
    const PacketPointer packet = make_packet();
    while (demuxer_.read(*packet)) {
      ++sent_;
      if (!decoder_.send(packet.get())) {
        count_broken();
        continue;
      }
      receive();
    }
    if (!decoder_.send(nullptr)) {
      count_broken();
    }
    receive();
    check_flac();
    if (resampler_) {
      give(resampler_->finish());
    }
    if (given_ == 0) {
      throw Failure{.reason = broken_ > 0 ? wire::Reason::kCorrupt : wire::Reason::kEmpty};
    }
    sink_.end({static_cast<std::uint64_t>(given_), 0, 0});
  }

 private:
  /// MP3 files have tags and the halves of cut frames between their frames, which every player
  /// skips.
  void count_broken() {
    ++broken_;
    constexpr std::int64_t kAtBothEnds = 4;
    if (!tolerant_ || broken_ > kAtBothEnds + sent_ / 100) {
      throw Failure{.reason = wire::Reason::kCorrupt, .a = demuxer_.packets() - 1};
    }
  }

  void receive() {
    while (true) {
      const Decoder::Got got = decoder_.receive(*frame_);
      if (got == Decoder::Got::kNothing) {
        return;
      }
      if (got == Decoder::Got::kBroken) {
        count_broken();
      } else {
        take(*frame_);
      }
    }
  }

  void take(const AVFrame& frame) {
    if (!resampler_) {
      resampler_.emplace(frame.sample_rate);
    } else if (resampler_->rate() != frame.sample_rate) {
      throw Failure{
          .reason = wire::Reason::kRateChanges, .a = resampler_->rate(), .b = frame.sample_rate};
    }
    const std::vector<double> mono = mix_to_mono(frame, decoded_);
    decoded_ += std::ssize(mono);
    give(resampler_->push(mono));
  }

  void give(const std::vector<float>& samples) {
    given_ += std::ssize(samples);
    if (given_ > job_.limits.samples) {
      throw Failure{.reason = wire::Reason::kTooLong};
    }
    const auto bytes = given_ * static_cast<std::int64_t>(sizeof(float));
    if (bytes > job_.limits.bytes) {
      throw Failure{.reason = wire::Reason::kTooManyBytes, .a = bytes};
    }
    const bool finite =
        std::all_of(samples.begin(), samples.end(), [](float x) { return std::isfinite(x); });
    if (!finite) {
      throw Failure{.reason = wire::Reason::kNotFinite, .a = decoded_};
    }
    sink_.samples(samples);
  }

  /// FLAC says how many samples there are.
  void check_flac() {
    const AVStream& stream = demuxer_.stream();
    if (job_.format != "flac" || !resampler_) {
      return;
    }
    const AVRational rate{1, resampler_->rate()};
    const std::int64_t promised = av_rescale_q(stream.duration, stream.time_base, rate);
    if (stream.duration > 0 && decoded_ < promised) {
      throw Failure{.reason = wire::Reason::kCut};
    }
  }

  const Job& job_;
  Sink& sink_;
  Demuxer demuxer_;
  Decoder decoder_;
  FramePointer frame_ = make_frame();
  std::optional<Resampler> resampler_;
  bool tolerant_;
  std::int64_t sent_ = 0;
  std::int64_t broken_ = 0;
  std::int64_t decoded_ = 0;
  std::int64_t given_ = 0;
};

}  // namespace

void decode_sound(const Job& job, Sink& sink) {
  SoundJob(job, sink).run();
}

}  // namespace nolens::media_app
