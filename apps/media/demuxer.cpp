// Containers: chosen by the engine, opened without probing, read from memory.
#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "codecs.h"
#include "wav_view.h"
#include "whole_file.h"

extern "C" {
#include <libavutil/dict.h>
}

namespace nolens::media_app {
namespace {

struct Container {
  std::string_view format;
  const char* demuxer;
};
constexpr Container kContainers[] = {{"wav", "wav"}, {"flac", "flac"}, {"mp3", "mp3"},
                                     {"ogg", "ogg"}, {"mp4", "mov"},   {"matroska", "matroska"},
                                     {"gif", "gif"}};
/// The names under which the libraries know those demuxers.
constexpr char kDemuxerNames[] = "wav,flac,mp3,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif";
constexpr int kIoBytes = 32 << 10;

/// Playlists, external references and the like end here.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

[[noreturn]] void throw_bad_headers(int error) {
  if (error == AVERROR(ENOMEM)) {
    throw std::bad_alloc();
  }
  throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
}

class Options {
 public:
  ~Options() { av_dict_free(&options_); }
  Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  void set(const char* key, const std::string& value) {
    av_dict_set(&options_, key, value.c_str(), 0);
  }
  AVDictionary** get() noexcept { return &options_; }

 private:
  AVDictionary* options_ = nullptr;
};

}  // namespace

/// A position in the file's bytes, or in what is shown in their place: `head`, then `file`.
struct Demuxer::Source {
  std::string head;
  std::span<const std::byte> file;
  std::int64_t position = 0;

  [[nodiscard]] std::int64_t size() const { return std::ssize(head) + std::ssize(file); }

  static int read(void* self, std::uint8_t* to, int wanted) {
    auto& source = *static_cast<Source*>(self);
    const bool in_head = source.position < std::ssize(source.head);
    const std::int64_t end = in_head ? std::ssize(source.head) : source.size();
    const std::int64_t count = std::min<std::int64_t>(wanted, end - source.position);
    if (count <= 0) {
      return AVERROR_EOF;
    }
    if (in_head) {
      std::memcpy(to, source.head.data() + source.position, static_cast<std::size_t>(count));
    } else {
      const std::int64_t offset = source.position - std::ssize(source.head);
      std::memcpy(to, source.file.data() + offset, static_cast<std::size_t>(count));
    }
    source.position += count;
    return static_cast<int>(count);
  }
  static std::int64_t seek(void* self, std::int64_t offset, int whence) {
    auto& source = *static_cast<Source*>(self);
    const std::int64_t size = source.size();
    if ((whence & AVSEEK_SIZE) != 0) {
      return size;
    }
    const int kind = whence & ~AVSEEK_FORCE;
    const std::int64_t base = kind == SEEK_CUR ? source.position : kind == SEEK_END ? size : 0;
    std::int64_t target = 0;
    if (__builtin_add_overflow(base, offset, &target) || target < 0 || target > size) {
      return AVERROR(EINVAL);
    }
    source.position = target;
    return target;
  }
};

Demuxer::Demuxer(const Job& job, AVMediaType type) : source_(std::make_unique<Source>()) {
  check_whole(job.format, job.file);
  source_->file = job.file;
  if (job.format == "wav") {
    WavView view = view_wav(job.file);
    source_->head = std::move(view.head);
    source_->file = view.samples;
  }
  try {
    open(job);
    choose(type);
  } catch (...) {
    free();
    throw;
  }
}

Demuxer::~Demuxer() {
  free();
}

void Demuxer::free() noexcept {
  AVIOContext* io = context_ == nullptr ? nullptr : context_->pb;
  avformat_close_input(&context_);
  if (io != nullptr) {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
}

void Demuxer::open(const Job& job) {
  const auto* container = std::find_if(std::begin(kContainers), std::end(kContainers),
                                       [&](const Container& c) { return c.format == job.format; });
  const AVInputFormat* format =
      container == std::end(kContainers) ? nullptr : av_find_input_format(container->demuxer);
  if (format == nullptr) {
    throw Failure{.reason = wire::Reason::kCodec};
  }
  context_ = avformat_alloc_context();
  auto* buffer = static_cast<unsigned char*>(av_malloc(kIoBytes));
  AVIOContext* io = buffer == nullptr ? nullptr
                                      : avio_alloc_context(buffer, kIoBytes, 0, source_.get(),
                                                           &Source::read, nullptr, &Source::seek);
  if (context_ == nullptr || io == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  context_->pb = io;
  context_->io_open = &refuse_to_open;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO;
  context_->error_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
  Options options;
  options.set("format_whitelist", kDemuxerNames);
  options.set("codec_whitelist", allowed_decoders());
  options.set("protocol_whitelist", "none");
  options.set("max_streams", "100");
  AVIOContext* const kept = io;
  const int opened = avformat_open_input(&context_, nullptr, format, options.get());
  if (opened < 0) {
    // The context is gone, what it read from is not.
    AVIOContext* left = kept;
    av_freep(&left->buffer);
    avio_context_free(&left);
    throw_bad_headers(opened);
  }
  const std::int64_t pixels = std::min<std::int64_t>(job.limits.pixels, INT32_MAX);
  std::vector<AVDictionary*> decoders(context_->nb_streams, nullptr);
  for (AVDictionary*& decoder : decoders) {
    av_dict_set_int(&decoder, "max_pixels", std::max<std::int64_t>(pixels, 1), 0);
  }
  const int found = avformat_find_stream_info(context_, decoders.data());
  for (AVDictionary*& decoder : decoders) {
    av_dict_free(&decoder);
  }
  if (found < 0) {
    throw_bad_headers(found);
  }
}

void Demuxer::choose(AVMediaType type) {
  const int best = av_find_best_stream(context_, type, -1, -1, nullptr, 0);
  if (best >= 0) {
    stream_ = context_->streams[best];
  }
  // A cover is a picture, not a clip.
  if (stream_ == nullptr || (stream_->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
    const bool sound = type == AVMEDIA_TYPE_AUDIO;
    throw Failure{.reason = sound ? wire::Reason::kNoSound : wire::Reason::kNoPictures};
  }
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    context_->streams[i]->discard =
        context_->streams[i] == stream_ ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

bool Demuxer::read(AVPacket& packet) {
  while (true) {
    av_packet_unref(&packet);
    const int error = av_read_frame(context_, &packet);
    if (error == AVERROR(ENOMEM)) {
      throw std::bad_alloc();
    }
    if (error == AVERROR_EOF) {
      return false;
    }
    if (error < 0) {
      throw Failure{.reason = wire::Reason::kCorrupt, .a = packets_};
    }
    if (packet.stream_index != stream_->index) {
      continue;
    }
    // A packet that ends with the file; WAV has been measured and is read in large pieces.
    if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0 && source_->head.empty()) {
      throw Failure{.reason = wire::Reason::kCut};
    }
    ++packets_;
    return true;
  }
}

}  // namespace nolens::media_app
