// WebP container specification, sections "Extended file format" and "Animation".
#include "media/webp_writer.h"

#include <webp/encode.h>

namespace nolens {
namespace {

void append_le(Bytes& bytes, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

Bytes write_webp(const Picture& picture, bool lossless) {
  WebPConfig config;
  WebPPicture encoded;
  EXPECT_TRUE(WebPConfigInit(&config) != 0 && WebPPictureInit(&encoded) != 0);
  config.lossless = lossless ? 1 : 0;
  config.exact = 1;
  config.quality = 90.0F;
  encoded.use_argb = config.lossless;
  encoded.width = picture.width;
  encoded.height = picture.height;
  const int stride = picture.width * picture.channels;
  EXPECT_NE(picture.channels == 4 ? WebPPictureImportRGBA(&encoded, picture.samples.data(), stride)
                                  : WebPPictureImportRGB(&encoded, picture.samples.data(), stride),
            0);
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  encoded.writer = WebPMemoryWrite;
  encoded.custom_ptr = &writer;
  EXPECT_NE(WebPEncode(&config, &encoded), 0);
  Bytes result(writer.mem, writer.mem + writer.size);
  WebPMemoryWriterClear(&writer);
  WebPPictureFree(&encoded);
  return result;
}

Bytes riff_chunk(std::string_view type, const Bytes& data) {
  Bytes chunk(type.begin(), type.end());
  append_le(chunk, static_cast<std::uint32_t>(data.size()), 4);
  append(chunk, data);
  if (data.size() % 2 != 0) {
    chunk.push_back(0);
  }
  return chunk;
}

Bytes riff_file(const Bytes& chunks) {
  Bytes body{'W', 'E', 'B', 'P'};
  append(body, chunks);
  return riff_chunk("RIFF", body);
}

Bytes vp8x(std::uint8_t flags, int canvas_width, int canvas_height) {
  Bytes data{flags, 0, 0, 0};
  append_le(data, static_cast<std::uint32_t>(canvas_width - 1), 3);
  append_le(data, static_cast<std::uint32_t>(canvas_height - 1), 3);
  return riff_chunk("VP8X", data);
}

Bytes anmf(const Picture& picture, int x, int y) {
  Bytes data;
  append_le(data, static_cast<std::uint32_t>(x / 2), 3);
  append_le(data, static_cast<std::uint32_t>(y / 2), 3);
  append_le(data, static_cast<std::uint32_t>(picture.width - 1), 3);
  append_le(data, static_cast<std::uint32_t>(picture.height - 1), 3);
  append_le(data, 100, 3);  // milliseconds
  data.push_back(0);        // blend, keep
  append(data, chunks_of(write_webp(picture, true)));
  return riff_chunk("ANMF", data);
}

Bytes chunks_of(const Bytes& webp_file) {
  return {webp_file.begin() + 12, webp_file.end()};
}

}  // namespace nolens
