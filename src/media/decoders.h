// What the JPEG, PNG and WebP decoders share: their request, their result, their error sentences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "nolens/media.h"

#include "media/pixels.h"

namespace nolens {

/// One picture to decode. The views outlive the call.
struct DecodeRequest {
  std::span<const std::byte> file;
  std::string name;         ///< already escaped for messages
  std::string_view format;  ///< "JPEG", "PNG", "WebP": for messages
  const ImageLimits& limits;
  AlphaMode alpha;
};

/// Pixels as stored, before the orientation is applied.
struct DecodedImage {
  std::int64_t width = 0;
  std::int64_t height = 0;
  Pixels rgb;           ///< [height, width, 3]
  int orientation = 1;  ///< EXIF, 1…8
};

/// \throws Error{kInput} on data that is cut, corrupt or of an unsupported kind;
///         Error{kResource} beyond the limits or out of memory. Never the library's own words.
DecodedImage decode_jpeg(const DecodeRequest& request);
DecodedImage decode_png(const DecodeRequest& request);
DecodedImage decode_webp(const DecodeRequest& request);

/// \throws Error{kInput}: "<name>: the <format> data <what>". `what` is a sentence of ours.
[[noreturn]] void throw_bad_image(const DecodeRequest& request, std::string_view what);

/// Checks a size that a header claims. \throws Error{kInput} on an empty picture, Error{kResource}.
void check_image_size(const DecodeRequest& request, std::int64_t width, std::int64_t height);

/// width * height * channels bytes, of a size that passed check_image_size(). They are not set: the
/// decoder writes each of them or throws. \throws Error{kResource} if memory is short.
Pixels allocate_samples(const DecodeRequest& request, std::int64_t width, std::int64_t height,
                        std::int64_t channels);
/// The same, set to zero, for decoders whose library might leave some out.
Pixels allocate_zero_samples(const DecodeRequest& request, std::int64_t width, std::int64_t height,
                             std::int64_t channels);

/// Turns RGBA into RGB over white, in place: the vector keeps 3 of every 4 bytes.
void composite_on_white(Pixels& rgba);

}  // namespace nolens
