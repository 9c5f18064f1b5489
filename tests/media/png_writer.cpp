// PNG 1.2, sections 2, 4 and 8.
#include "media/png_writer.h"

#include <zlib.h>

namespace nolens {
namespace {

int channels_of(PngColour colour) {
  switch (colour) {
    case kGrey:
    case kPalette: return 1;
    case kGreyAlpha: return 2;
    case kRgb: return 3;
    case kRgba: return 4;
  }
  return 0;
}

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

struct Pass {
  int x, y, step_x, step_y;
};
constexpr Pass kWhole[] = {{0, 0, 1, 1}};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

}  // namespace

void append_u32(Bytes& bytes, std::uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) {
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

void append_text(Bytes& bytes, std::string_view text) {
  for (const char letter : text) {
    bytes.push_back(static_cast<std::uint8_t>(letter));
  }
}

Bytes png_chunk(std::string_view type, const Bytes& data) {
  Bytes body;
  append_text(body, type);
  append(body, data);
  Bytes chunk;
  append_u32(chunk, static_cast<std::uint32_t>(data.size()));
  append(chunk, body);
  append_u32(chunk,
             static_cast<std::uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size()))));
  return chunk;
}

Bytes png_header(std::uint32_t width, std::uint32_t height, PngColour colour, int depth,
                 bool interlaced) {
  Bytes data;
  append_u32(data, width);
  append_u32(data, height);
  append(data, {static_cast<std::uint8_t>(depth), colour, 0, 0,
                static_cast<std::uint8_t>(interlaced ? 1 : 0)});
  return png_chunk("IHDR", data);
}

Bytes zlib_compress(const Bytes& data) {
  uLongf size = compressBound(data.size());
  Bytes result(size);
  EXPECT_EQ(compress(result.data(), &size, data.data(), data.size()), Z_OK);
  result.resize(size);
  return result;
}

Bytes write_png(int width, int height, const Bytes& samples, const PngOptions& options) {
  const int channels = channels_of(options.colour);
  const int entries = options.depth == 16 ? 2 * channels : channels;  // per pixel
  const int entry_bits = options.depth == 16 ? 8 : options.depth;
  Bytes raw;
  const std::span<const Pass> passes =
      options.interlaced ? std::span<const Pass>(kAdam7) : std::span<const Pass>(kWhole);
  for (const Pass& pass : passes) {
    if (pass.x >= width) {
      continue;
    }
    for (int y = pass.y; y < height; y += pass.step_y) {
      raw.push_back(0);  // filter: none
      int free_bits = 0;
      for (int x = pass.x; x < width; x += pass.step_x) {
        for (int i = 0; i < entries; ++i) {
          const unsigned value = samples[static_cast<std::size_t>((y * width + x) * entries + i)];
          if (free_bits == 0) {
            raw.push_back(0);
            free_bits = 8;
          }
          free_bits -= entry_bits;
          raw.back() = static_cast<std::uint8_t>(raw.back() | value << free_bits);
        }
      }
    }
  }
  Bytes file;
  append_text(file, kPngSignature);
  append(file, png_header(static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height),
                          options.colour, options.depth, options.interlaced));
  if (!options.palette.empty()) {
    append(file, png_chunk("PLTE", options.palette));
  }
  if (!options.transparency.empty()) {
    append(file, png_chunk("tRNS", options.transparency));
  }
  append(file, options.before_pixels);
  append(file, png_chunk("IDAT", zlib_compress(raw)));
  append(file, options.after_pixels);
  append(file, png_chunk("IEND", {}));
  return file;
}

}  // namespace nolens
