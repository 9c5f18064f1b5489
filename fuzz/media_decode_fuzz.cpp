// The decoding of nolens-media without its process and walls: any file is a result or a reason. The
// libraries below are not instrumented, our use of them is. The file's first bytes choose the
// format, as the engine does.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <string>

#include "codecs.h"
#include "job.h"
#include "media/media_format.h"

namespace {

namespace app = nolens::media_app;
namespace wire = nolens::wire;

constexpr app::Limits kLimits{.samples = 200'000,
                              .keep = 4,
                              .frames = 100,
                              .milliseconds = 60'000,
                              .side = 512,
                              .pixels = 512 * 512,
                              .bytes = 4 << 20};

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

/// Holds results against the limits.
class CheckingSink final : public app::Sink {
 public:
  void samples(std::span<const float> samples) override {
    count_ += std::ssize(samples);
    check(count_ <= kLimits.samples);
    for (const float sample : samples) {
      check(std::isfinite(sample));
    }
  }
  void frame(const wire::FrameHead& head, std::span<const std::uint8_t> rgb) override {
    check(++frames_ <= kLimits.keep && head.width <= kLimits.side && head.height <= kLimits.side);
    check(rgb.size() == std::size_t{3} * head.width * head.height);
  }
  void restart() override {
    check(!restarted_);
    restarted_ = true;
    frames_ = 0;
  }
  void end(const wire::End& end) override {
    check(frames_ > 0 ? end.count >= static_cast<std::uint64_t>(frames_)
                      : end.count == static_cast<std::uint64_t>(count_));
  }

 private:
  std::int64_t count_ = 0;
  std::int64_t frames_ = 0;
  bool restarted_ = false;
};

void run(void (*decode)(const app::Job&, app::Sink&), const app::Job& job) {
  CheckingSink sink;
  try {
    decode(job, sink);
  } catch (const app::Failure& failure) {
    check(failure.reason >= wire::Reason::kNoSandbox && failure.reason <= wire::Reason::kLast);
  } catch (const std::bad_alloc&) {
    return;  // a promise of the file that was tried and could not be kept
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  app::quiet_libraries();
  app::Job job;
  job.file = std::as_bytes(std::span(data, size));
  job.format = nolens::decoder_word(nolens::media_format(job.file));
  job.limits = kLimits;
  if (job.format.empty()) {
    return 0;
  }
  if (job.format == "bmp") {
    run(&app::decode_picture, job);
    return 0;
  }
  if (job.format == "gif") {
    run(&app::decode_picture, job);
  } else {
    run(&app::decode_sound, job);
  }
  if (job.format == "gif" || job.format == "mp4" || job.format == "matroska") {
    run(&app::decode_clip, job);
  }
  return 0;
}
