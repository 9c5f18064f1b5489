// The decoding of nolens-media without its process: for many files, and under sanitizers.
#pragma once

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "job.h"

namespace nolens {

/// Counts what arrives.
class CountingSink final : public media_app::Sink {
 public:
  void samples(std::span<const float> samples) override { sample_count += std::ssize(samples); }
  void frame(const wire::FrameHead& head, std::span<const std::uint8_t> rgb) override {
    frame_count += rgb.size() == std::size_t{3} * head.width * head.height ? 1 : 1'000'000;
  }
  void restart() override { frame_count = 0; }
  void end(const wire::End&) override { ended = true; }
  std::int64_t sample_count = 0;
  std::int64_t frame_count = 0;
  bool ended = false;
};

/// Nothing if the file decodes to something; else the reason.
inline std::optional<wire::Reason> reason_in_process(std::string_view mode,
                                                     const std::string& format,
                                                     std::string_view file) {
  media_app::Job job;
  job.file = std::as_bytes(std::span(file));
  job.format = format;
  job.limits = {.samples = 1'000'000,
                .keep = 8,
                .frames = 10'000,
                .milliseconds = 3'600'000,
                .side = 4096,
                .pixels = 1 << 24,
                .bytes = 100'000'000};
  CountingSink sink;
  try {
    if (mode == "audio") {
      media_app::decode_sound(job, sink);
    } else if (mode == "video") {
      media_app::decode_clip(job, sink);
    } else {
      media_app::decode_picture(job, sink);
    }
  } catch (const media_app::Failure& failure) {
    return failure.reason;
  } catch (const std::bad_alloc&) {
    return wire::Reason::kMemory;
  }
  if (!sink.ended || sink.sample_count + sink.frame_count == 0) {
    return wire::Reason::kEmpty;
  }
  return std::nullopt;
}

}  // namespace nolens
