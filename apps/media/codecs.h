// FFmpeg's demuxers and decoders, as far as they are allowed, in owners.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "job.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace nolens::media_app {

struct FreeFrame {
  void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const noexcept { avcodec_free_context(&context); }
};
using FramePointer = std::unique_ptr<AVFrame, FreeFrame>;
using PacketPointer = std::unique_ptr<AVPacket, FreePacket>;
using CodecPointer = std::unique_ptr<AVCodecContext, FreeCodec>;

/// \throws std::bad_alloc
FramePointer make_frame();
PacketPointer make_packet();

/// The libraries say nothing, and know the processor before files are out of reach.
void quiet_libraries();

/// Reads packets of one track from a file in memory. It has no way to open anything else.
class Demuxer {
 public:
  /// `type` is the kind of the track. \throws Failure if the file makes no sense or has no such
  /// track.
  Demuxer(const Job& job, AVMediaType type);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  /// The next packet of the track; false at the end. \throws Failure
  bool read(AVPacket& packet);
  [[nodiscard]] const AVStream& stream() const noexcept { return *stream_; }
  /// Packets read so far.
  [[nodiscard]] std::int64_t packets() const noexcept { return packets_; }

 private:
  struct Source;
  void open(const Job& job);
  void choose(AVMediaType type);
  void free() noexcept;

  std::unique_ptr<Source> source_;
  AVFormatContext* context_ = nullptr;
  AVStream* stream_ = nullptr;
  std::int64_t packets_ = 0;
};

/// Decodes packets of one track. The size of pictures is checked before memory for them is asked
/// for.
class Decoder {
 public:
  /// \throws Failure{kCodec} if the track's codec is not on the list.
  Decoder(const AVCodecParameters& parameters, AVRational time_base, const Limits& limits);

  /// A packet, or null at the end of the track. False if the packet makes no sense.
  bool send(const AVPacket* packet);
  enum class Got { kFrame, kNothing, kBroken };
  Got receive(AVFrame& frame);

 private:
  struct SizeGuard {
    const Limits* limits = nullptr;
    std::int64_t width = 0;  ///< of the picture that was refused
    std::int64_t height = 0;
  };
  static int get_buffer(AVCodecContext* context, AVFrame* frame, int flags);
  bool judge(int error);

  std::unique_ptr<SizeGuard> guard_;
  CodecPointer context_;
};

/// Names of the decoders that may run, with commas.
std::string allowed_decoders();

}  // namespace nolens::media_app
