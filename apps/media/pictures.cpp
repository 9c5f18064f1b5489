// Clips and single pictures from their packets to RGB frames.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

#include "bytes.h"
#include "codecs.h"
#include "rgb.h"

namespace nolens::media_app {
namespace {

/// Counts the packets of the track, which nearly always is the number of frames.
std::int64_t count_packets(const Job& job) {
  Demuxer demuxer(job, AVMEDIA_TYPE_VIDEO);
  const PacketPointer packet = make_packet();
  while (demuxer.read(*packet)) {
    if (demuxer.packets() > job.limits.frames) {
      throw Failure{.reason = wire::Reason::kTooManyFrames};
    }
  }
  return demuxer.packets();
}

/// Index of the i-th of `keep` frames at equal distances among `count`.
std::int64_t chosen(std::int64_t i, std::int64_t keep, std::int64_t count) {
  return keep >= count ? i : i * count / keep;  // no overflow: count <= kMostFrames
}

/// One walk through a clip from its beginning to its end.
class ClipWalk {
 public:
  ClipWalk(const Job& job, Sink& sink, std::int64_t expected)
      : job_(job),
        sink_(sink),
        demuxer_(job, AVMEDIA_TYPE_VIDEO),
        decoder_(*demuxer_.stream().codecpar, demuxer_.stream().time_base, job.limits),
        converter_(turn_of(demuxer_.stream()), job.white),
        expected_(expected) {}

  /// Frames the clip really has.
  std::int64_t run() {
    const PacketPointer packet = make_packet();
    while (demuxer_.read(*packet)) {
      require(decoder_.send(packet.get()));
      receive();
    }
    require(decoder_.send(nullptr));
    receive();
    return seen_;
  }
  [[nodiscard]] AVRational rate() const noexcept { return demuxer_.stream().avg_frame_rate; }

 private:
  void require(bool good) const {
    if (!good) {
      throw Failure{.reason = wire::Reason::kCorrupt,
                    .a = std::max<std::int64_t>(demuxer_.packets() - 1, 0)};
    }
  }

  void receive() {
    while (true) {
      const Decoder::Got got = decoder_.receive(*frame_);
      if (got == Decoder::Got::kNothing) {
        return;
      }
      require(got == Decoder::Got::kFrame);
      take(*frame_);
    }
  }

  void take(const AVFrame& frame) {
    check_size(frame);
    check_length();
    if (kept_ < std::min(job_.limits.keep, expected_) &&
        seen_ == chosen(kept_, job_.limits.keep, expected_)) {
      const Rgb rgb = converter_.convert(frame);
      sink_.frame({rgb.width, rgb.height, static_cast<std::uint64_t>(seen_)}, rgb.pixels);
      ++kept_;
    }
    ++seen_;
  }

  void check_size(const AVFrame& frame) {
    const std::int64_t width = frame.width;
    const std::int64_t height = frame.height;
    const Limits& limits = job_.limits;
    if (width > limits.side || height > limits.side || width * height > limits.pixels) {
      throw Failure{.reason = wire::Reason::kTooLarge, .a = width, .b = height};
    }
    if (seen_ > 0 && (width != width_ || height != height_)) {
      throw Failure{.reason = wire::Reason::kSizeChanges, .a = width, .b = height};
    }
    width_ = width;
    height_ = height;
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(width * height * 3, std::min(limits.keep, expected_), &bytes)) {
      bytes = std::numeric_limits<std::int64_t>::max();
    }
    if (bytes > limits.bytes) {
      throw Failure{.reason = wire::Reason::kTooManyBytes, .a = bytes};
    }
  }

  void check_length() const {
    if (seen_ >= job_.limits.frames) {
      throw Failure{.reason = wire::Reason::kTooManyFrames};
    }
    const AVRational fps = rate();
    if (fps.num > 0 && fps.den > 0 &&
        static_cast<double>(seen_) / av_q2d(fps) * 1000.0 >
            static_cast<double>(job_.limits.milliseconds)) {
      throw Failure{.reason = wire::Reason::kTooLong};
    }
  }

  const Job& job_;
  Sink& sink_;
  Demuxer demuxer_;
  Decoder decoder_;
  RgbConverter converter_;
  FramePointer frame_ = make_frame();
  std::int64_t expected_;
  std::int64_t seen_ = 0;
  std::int64_t kept_ = 0;
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
};

wire::End end_of(std::int64_t count, AVRational rate) {
  const bool known = rate.num > 0 && rate.den > 0;
  return {static_cast<std::uint64_t>(count), known ? static_cast<std::uint32_t>(rate.num) : 0,
          known ? static_cast<std::uint32_t>(rate.den) : 0};
}

/// The size in the header, before a decoder sees it. Two kinds of headers: OS/2's of 12 bytes with
/// 16-bit numbers, and longer ones with 32-bit numbers of which the height may be negative.
void check_bmp_size(const Job& job) {
  const Bytes bytes(job.file);
  bytes.require(0, 26);
  const bool old = bytes.little(14, 4) == 12;
  const auto side = [&](std::uint64_t at) {
    const std::uint64_t raw = bytes.little(at, 4);
    return old ? static_cast<std::int64_t>(raw & 0xFFFF)
               : std::abs(std::int64_t{static_cast<std::int32_t>(raw)});
  };
  const std::int64_t width = side(18);
  const std::int64_t height = side(old ? 20 : 22);
  if (width > job.limits.side || height > job.limits.side || width * height > job.limits.pixels) {
    throw Failure{.reason = wire::Reason::kTooLarge, .a = width, .b = height};
  }
}

void decode_bmp(const Job& job, Sink& sink) {
  check_bmp_size(job);
  if (job.file.size() > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
    throw Failure{.reason = wire::Reason::kMemory};
  }
  const PacketPointer packet = make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(job.file.size())) < 0) {
    throw std::bad_alloc();
  }
  std::transform(job.file.begin(), job.file.end(), packet->data,
                 [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  const std::unique_ptr<AVCodecParameters, void (*)(AVCodecParameters*)> parameters(
      avcodec_parameters_alloc(), [](AVCodecParameters* p) { avcodec_parameters_free(&p); });
  if (!parameters) {
    throw std::bad_alloc();
  }
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = AV_CODEC_ID_BMP;
  Decoder decoder(*parameters, {1, 1}, job.limits);
  const FramePointer frame = make_frame();
  if (!decoder.send(packet.get()) || decoder.receive(*frame) != Decoder::Got::kFrame) {
    throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
  }
  const Rgb rgb = RgbConverter({}, job.white).convert(*frame);
  sink.frame({rgb.width, rgb.height, 0}, rgb.pixels);
}

void decode_first_frame(const Job& job, Sink& sink) {
  Demuxer demuxer(job, AVMEDIA_TYPE_VIDEO);
  Decoder decoder(*demuxer.stream().codecpar, demuxer.stream().time_base, job.limits);
  const PacketPointer packet = make_packet();
  const FramePointer frame = make_frame();
  while (demuxer.read(*packet)) {
    if (!decoder.send(packet.get())) {
      break;
    }
    const Decoder::Got got = decoder.receive(*frame);
    if (got == Decoder::Got::kNothing) {
      continue;
    }
    if (got == Decoder::Got::kBroken) {
      break;
    }
    const Rgb rgb = RgbConverter({}, job.white).convert(*frame);
    sink.frame({rgb.width, rgb.height, 0}, rgb.pixels);
    return;
  }
  throw Failure{.reason = wire::Reason::kCorrupt,
                .a = std::max<std::int64_t>(demuxer.packets() - 1, 0)};
}

}  // namespace

void decode_clip(const Job& job, Sink& sink) {
  std::int64_t expected = count_packets(job);
  if (expected == 0) {
    throw Failure{.reason = wire::Reason::kEmpty};
  }
  for (int round = 0; round < 2; ++round) {
    ClipWalk walk(job, sink, expected);
    const std::int64_t count = walk.run();
    if (count == expected) {
      sink.end(end_of(count, walk.rate()));
      return;
    }
    if (count == 0) {
      throw Failure{.reason = wire::Reason::kEmpty};
    }
    // Packets without a picture of their own, or cut away by an edit list: choose again.
    expected = count;
    if (round == 0) {
      sink.restart();
    }
  }
  throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
}

void decode_picture(const Job& job, Sink& sink) {
  if (job.format == "bmp") {
    decode_bmp(job, sink);
  } else {
    decode_first_frame(job, sink);
  }
  sink.end({1, 0, 0});
}

}  // namespace nolens::media_app
