// Writes WebP files: pictures by libwebp's encoder, containers and animations by hand.
#pragma once

#include <string_view>

#include "media/picture.h"

namespace nolens {

/// `picture` has 3 or 4 channels. Lossless keeps every value, also under alpha 0.
Bytes write_webp(const Picture& picture, bool lossless);

/// Four letters, little-endian length, data, padding to an even length.
Bytes riff_chunk(std::string_view type, const Bytes& data);

/// "RIFF", length, "WEBP", then `chunks`.
Bytes riff_file(const Bytes& chunks);

/// Content of VP8X. Flags: 0x02 animation, 0x04 XMP, 0x08 EXIF, 0x10 alpha.
Bytes vp8x(std::uint8_t flags, int canvas_width, int canvas_height);

/// One animation frame at (x, y), both even; the picture is encoded lossless.
Bytes anmf(const Picture& picture, int x, int y);

/// A still file's chunks, without the RIFF header.
Bytes chunks_of(const Bytes& webp_file);

}  // namespace nolens
