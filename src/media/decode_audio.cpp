// Bytes of a sound or of a clip -> samples.
#include <cstring>
#include <new>
#include <utility>

#include "nolens/error.h"
#include "nolens/media.h"

#include "core/escape.h"
#include "media/media_process.h"

namespace nolens {
namespace {

bool may_hold_sound(MediaFormat format) {
  switch (format) {
    case MediaFormat::kWav:
    case MediaFormat::kFlac:
    case MediaFormat::kMp3:
    case MediaFormat::kOgg:
    case MediaFormat::kMp4:
    case MediaFormat::kM4a:
    case MediaFormat::kMatroska: return true;
    default: return false;
  }
}

}  // namespace

Audio decode_audio(std::span<const std::byte> file, const std::string& name,
                   const MediaOptions& options) {
  const std::string shown = escape_for_message(name);
  if (file.empty()) {
    throw Error(ErrorCode::kInput, shown + ": the sound is empty (0 bytes arrived); " +
                                       supported_kinds(MediaTarget::kSound));
  }
  const MediaFormat format = media_format(file);
  if (!may_hold_sound(format)) {
    throw Error(ErrorCode::kInput, shown + ": " + describe_unusable(file) +
                                       ", which cannot be read as a sound; " +
                                       supported_kinds(MediaTarget::kSound));
  }
  try {
    MediaReader reader = run_media_process({.file = file,
                                            .name = shown,
                                            .format = format,
                                            .target = MediaTarget::kSound,
                                            .options = options});
    return Audio{reader.take_samples()};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource,
                shown + ": out of memory while decoding the sound; cut it first");
  }
}

}  // namespace nolens
