// Writes PNG files byte by byte, broken ones included: an oracle that is not libpng.
#pragma once

#include <string_view>

#include "media/picture.h"

namespace nolens {

inline constexpr std::string_view kPngSignature{"\x89PNG\r\n\x1A\n", 8};

enum PngColour : std::uint8_t { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

struct PngOptions {
  PngColour colour = kRgb;
  int depth = 8;
  bool interlaced = false;
  Bytes palette{};        ///< PLTE
  Bytes transparency{};   ///< tRNS
  Bytes before_pixels{};  ///< whole chunks, see png_chunk()
  Bytes after_pixels{};
};

void append_u32(Bytes& bytes, std::uint32_t value);  ///< big-endian
void append_text(Bytes& bytes, std::string_view text);

/// Length, type, data, CRC.
Bytes png_chunk(std::string_view type, const Bytes& data);
Bytes png_header(std::uint32_t width, std::uint32_t height, PngColour colour, int depth,
                 bool interlaced = false);
Bytes zlib_compress(const Bytes& data);

/// `samples` are [height, width, channels of the colour type]; values of `depth` bits, 16-bit ones
/// as two entries, high byte first.
Bytes write_png(int width, int height, const Bytes& samples, const PngOptions& options = {});

}  // namespace nolens
