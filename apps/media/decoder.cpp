// The decoders that may run, and their settings.
#include <new>
#include <string_view>

#include "codecs.h"

extern "C" {
#include <libavutil/cpu.h>
#include <libavutil/log.h>
}

namespace nolens::media_app {
namespace {

struct Entry {
  AVCodecID codec;
  const char* decoder;
};

/// By the decoder's name: a codec may have several, some of them wrappers around other libraries.
constexpr Entry kAllowed[] = {
    {AV_CODEC_ID_PCM_U8, "pcm_u8"},
    {AV_CODEC_ID_PCM_S8, "pcm_s8"},
    {AV_CODEC_ID_PCM_S16LE, "pcm_s16le"},
    {AV_CODEC_ID_PCM_S16BE, "pcm_s16be"},
    {AV_CODEC_ID_PCM_S24LE, "pcm_s24le"},
    {AV_CODEC_ID_PCM_S24BE, "pcm_s24be"},
    {AV_CODEC_ID_PCM_S32LE, "pcm_s32le"},
    {AV_CODEC_ID_PCM_S32BE, "pcm_s32be"},
    {AV_CODEC_ID_PCM_S64LE, "pcm_s64le"},
    {AV_CODEC_ID_PCM_F32LE, "pcm_f32le"},
    {AV_CODEC_ID_PCM_F32BE, "pcm_f32be"},
    {AV_CODEC_ID_PCM_F64LE, "pcm_f64le"},
    {AV_CODEC_ID_PCM_F64BE, "pcm_f64be"},
    {AV_CODEC_ID_PCM_ALAW, "pcm_alaw"},
    {AV_CODEC_ID_PCM_MULAW, "pcm_mulaw"},
    {AV_CODEC_ID_ADPCM_IMA_WAV, "adpcm_ima_wav"},
    {AV_CODEC_ID_ADPCM_MS, "adpcm_ms"},
    {AV_CODEC_ID_FLAC, "flac"},
    {AV_CODEC_ID_MP3, "mp3float"},
    {AV_CODEC_ID_VORBIS, "vorbis"},
    {AV_CODEC_ID_OPUS, "opus"},
    {AV_CODEC_ID_AAC, "aac"},
    {AV_CODEC_ID_ALAC, "alac"},
    {AV_CODEC_ID_H264, "h264"},
    {AV_CODEC_ID_HEVC, "hevc"},
    {AV_CODEC_ID_VP8, "vp8"},
    {AV_CODEC_ID_VP9, "vp9"},
    {AV_CODEC_ID_AV1, "libdav1d"},
    {AV_CODEC_ID_MPEG4, "mpeg4"},
    {AV_CODEC_ID_MJPEG, "mjpeg"},
    {AV_CODEC_ID_GIF, "gif"},
    {AV_CODEC_ID_BMP, "bmp"},
};

const AVCodec* find_allowed(AVCodecID codec) {
  for (const Entry& entry : kAllowed) {
    if (entry.codec == codec) {
      return avcodec_find_decoder_by_name(entry.decoder);
    }
  }
  return nullptr;
}

/// A codec's name in letters that MediaReader lets through.
std::string plain_name(AVCodecID codec) {
  std::string plain;
  for (const char c : std::string_view(avcodec_get_name(codec)).substr(0, 20)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    plain += letter ? c : '_';
  }
  return plain;
}

}  // namespace

std::string allowed_decoders() {
  std::string names;
  for (const Entry& entry : kAllowed) {
    names += (names.empty() ? "" : ",");
    names += entry.decoder;
  }
  return names;
}

FramePointer make_frame() {
  FramePointer frame(av_frame_alloc());
  if (!frame) {
    throw std::bad_alloc();
  }
  return frame;
}

PacketPointer make_packet() {
  PacketPointer packet(av_packet_alloc());
  if (!packet) {
    throw std::bad_alloc();
  }
  return packet;
}

void quiet_libraries() {
  av_log_set_callback([](void*, int, const char*, va_list) {});
  av_get_cpu_flags();
}

Decoder::Decoder(const AVCodecParameters& parameters, AVRational time_base, const Limits& limits)
    : guard_(std::make_unique<SizeGuard>()) {
  const AVCodec* codec = find_allowed(parameters.codec_id);
  if (codec == nullptr) {
    throw Failure{.reason = wire::Reason::kCodec, .word = plain_name(parameters.codec_id)};
  }
  context_.reset(avcodec_alloc_context3(codec));
  if (!context_) {
    throw std::bad_alloc();
  }
  guard_->limits = &limits;
  if (avcodec_parameters_to_context(context_.get(), &parameters) < 0) {
    throw std::bad_alloc();
  }
  context_->pkt_timebase = time_base;
  context_->thread_count = 1;
  context_->thread_type = 0;
  context_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  context_->error_concealment = 0;
  context_->opaque = guard_.get();
  context_->get_buffer2 = &Decoder::get_buffer;
  const int error = avcodec_open2(context_.get(), codec, nullptr);
  if (error == AVERROR(ENOMEM)) {
    throw std::bad_alloc();
  }
  if (error < 0) {
    throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
  }
}

int Decoder::get_buffer(AVCodecContext* context, AVFrame* frame, int flags) {
  auto* guard = static_cast<SizeGuard*>(context->opaque);
  if (context->codec_type == AVMEDIA_TYPE_VIDEO) {
    const std::int64_t width = frame->width;
    const std::int64_t height = frame->height;
    if (width > guard->limits->side || height > guard->limits->side ||
        width * height > guard->limits->pixels) {
      guard->width = width;
      guard->height = height;
      return AVERROR(EINVAL);
    }
  }
  return avcodec_default_get_buffer2(context, frame, flags);
}

/// False if the data makes no sense. \throws what is not the data's fault
bool Decoder::judge(int error) {
  if (guard_->width > 0) {
    throw Failure{.reason = wire::Reason::kTooLarge, .a = guard_->width, .b = guard_->height};
  }
  if (error == AVERROR(ENOMEM)) {
    throw std::bad_alloc();
  }
  return error >= 0;
}

bool Decoder::send(const AVPacket* packet) {
  return judge(avcodec_send_packet(context_.get(), packet));
}

Decoder::Got Decoder::receive(AVFrame& frame) {
  const int error = avcodec_receive_frame(context_.get(), &frame);
  if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) {
    return Got::kNothing;
  }
  if (!judge(error) || frame.decode_error_flags != 0 ||
      (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    return Got::kBroken;
  }
  return Got::kFrame;
}

}  // namespace nolens::media_app
