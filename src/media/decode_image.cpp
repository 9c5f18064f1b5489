// Bytes of a picture of any supported kind -> Image.
#include <new>
#include <utility>

#include "nolens/error.h"
#include "nolens/media.h"

#include "core/escape.h"
#include "media/media_process.h"

namespace nolens {

Image decode_image(std::span<const std::byte> file, const std::string& name,
                   const MediaOptions& options) {
  const MediaFormat format = media_format(file);
  switch (format) {
    case MediaFormat::kJpeg:
    case MediaFormat::kPng:
    case MediaFormat::kWebp: return Image::decode(file, name, options.image, options.alpha);
    case MediaFormat::kGif:
    case MediaFormat::kBmp: break;
    default: {
      const std::string found =
          file.empty() ? "the picture is empty (0 bytes arrived)"
                       : describe_unusable(file) + ", which cannot be read as a picture";
      throw Error(ErrorCode::kInput, escape_for_message(name) + ": " + found + "; " +
                                         supported_kinds(MediaTarget::kPicture));
    }
  }
  const std::string shown = escape_for_message(name);
  try {
    MediaReader reader = run_media_process({.file = file,
                                            .name = shown,
                                            .format = format,
                                            .target = MediaTarget::kPicture,
                                            .options = options});
    return std::move(reader.take_frames().front().image);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource,
                shown + ": out of memory while decoding the picture; scale it down first");
  }
}

}  // namespace nolens
