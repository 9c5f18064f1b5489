// What nolens-media is asked to do, where results go, and why there may be none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "media/media_wire.h"

namespace nolens::media_app {

/// Products of two numbers of frames fit in 64 bits.
inline constexpr std::int64_t kMostFrames = 1'000'000'000;

/// The command line; see src/media/media_process.cpp, the only caller.
struct Limits {
  std::int64_t samples = 0;       ///< that may be returned
  std::int64_t keep = 1;          ///< frames to return
  std::int64_t frames = 1;        ///< frames the clip may have, at most kMostFrames
  std::int64_t milliseconds = 0;  ///< the clip may last
  std::int64_t side = 0;
  std::int64_t pixels = 0;
  std::int64_t bytes = 0;  ///< that may be returned
};
struct Job {
  std::span<const std::byte> file;
  std::string format;  ///< wav, flac, mp3, ogg, mp4, matroska, gif, bmp
  Limits limits;
  bool white = false;  ///< transparent pictures over white, else alpha is dropped
};

/// Ends a job. Thrown, caught in main().
struct Failure {
  wire::Reason reason = wire::Reason::kCorrupt;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::string word = {};
};

/// Where results go.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void samples(std::span<const float> samples) = 0;
  /// `rgb` is [height, width, 3].
  virtual void frame(const wire::FrameHead& head, std::span<const std::uint8_t> rgb) = 0;
  virtual void restart() = 0;
  virtual void end(const wire::End& end) = 0;
};

/// Sound as mono at 16 kHz: the channels' mean, resampled. \throws Failure, std::bad_alloc
void decode_sound(const Job& job, Sink& sink);
/// limits.keep frames of a clip at equal distances. \throws as decode_sound()
void decode_clip(const Job& job, Sink& sink);
/// A BMP, or the first frame of a GIF. \throws as decode_sound()
void decode_picture(const Job& job, Sink& sink);

/// Samples per second that decode_sound() gives.
inline constexpr int kOutputRate = 16'000;

}  // namespace nolens::media_app
