// Bytes of a clip -> some of its frames.
#include <new>
#include <utility>

#include "nolens/error.h"
#include "nolens/media.h"

#include "core/escape.h"
#include "media/media_process.h"

namespace nolens {
namespace {

/// What the reference takes where a clip does not say (transformers, VideoMetadata).
constexpr double kDefaultFps = 24.0;
constexpr double kHighestFps = 1000.0;

double frames_per_second(const wire::End& end) {
  const double fps = end.rate_denominator == 0 ? 0.0
                                               : static_cast<double>(end.rate_numerator) /
                                                     static_cast<double>(end.rate_denominator);
  return fps > 0.0 && fps <= kHighestFps ? fps : kDefaultFps;
}

}  // namespace

Video decode_video(std::span<const std::byte> file, const std::string& name,
                   std::int64_t max_frames, const MediaOptions& options) {
  const std::string shown = escape_for_message(name);
  if (max_frames < 1) {
    throw Error(ErrorCode::kUsage, shown +
                                       ": at least one frame of a clip must be asked for, not " +
                                       std::to_string(max_frames));
  }
  if (file.empty()) {
    throw Error(ErrorCode::kInput, shown + ": the clip is empty (0 bytes arrived); " +
                                       supported_kinds(MediaTarget::kClip));
  }
  const MediaFormat format = media_format(file);
  if (format != MediaFormat::kMp4 && format != MediaFormat::kM4a &&
      format != MediaFormat::kMatroska && format != MediaFormat::kGif) {
    throw Error(ErrorCode::kInput, shown + ": " + describe_unusable(file) +
                                       ", which cannot be read as a clip; " +
                                       supported_kinds(MediaTarget::kClip));
  }
  try {
    MediaReader reader = run_media_process({.file = file,
                                            .name = shown,
                                            .format = format,
                                            .target = MediaTarget::kClip,
                                            .options = options,
                                            .max_frames = max_frames});
    Video video;
    video.source_frames = static_cast<std::int64_t>(reader.end().count);
    video.source_fps = frames_per_second(reader.end());
    for (MediaReader::Frame& frame : reader.take_frames()) {
      video.frames.push_back(
          {std::move(frame.image), static_cast<double>(frame.index) / video.source_fps});
    }
    return video;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource,
                shown + ": out of memory while decoding the clip; take fewer frames");
  }
}

}  // namespace nolens
