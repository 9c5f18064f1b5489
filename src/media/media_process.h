// Runs nolens-media on one file and turns whatever happens into frames, samples or one sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "nolens/media.h"

#include "media/media_format.h"
#include "media/media_reader.h"
#include "platform/child_process.h"

namespace nolens {

/// What to make of the file.
enum class MediaTarget : std::uint8_t { kSound, kClip, kPicture };

/// One file to decode. The views outlive the call.
struct MediaTask {
  std::span<const std::byte> file;
  std::string name;  ///< already escaped for messages
  MediaFormat format = MediaFormat::kUnknown;
  MediaTarget target = MediaTarget::kSound;
  const MediaOptions& options;
  std::int64_t max_frames = 1;  ///< kClip: frames to keep
};

/// Starts nolens-media, feeds it and returns what it wrote; complete and without a problem.
/// \throws Error{kInput} for a file that is broken or of the wrong kind; Error{kResource} if a
/// limit is
///         exceeded or the program cannot be started; Error{kUsage} on senseless options.
MediaReader run_media_process(const MediaTask& task);

/// `options.program`, else NOLENS_MEDIA, else nolens-media beside this program or in
/// ../libexec/nolens. \throws Error{kResource} with the places it looked at.
std::filesystem::path find_media_program(const MediaTask& task);

/// How a run ended that did not give a result.
struct MediaFailure {
  ChildExit exit;
  bool deadline = false;  ///< it was killed because the time was up
};
[[noreturn]] void throw_media_failure(const MediaTask& task, const MediaReader& reader,
                                      const MediaFailure& failure);

/// The kinds of files a target can be made of, for messages.
[[nodiscard]] std::string supported_kinds(MediaTarget target);

}  // namespace nolens
