// WebP through libwebp and libwebpdemux: lossy, lossless, with or without alpha. Of an animation
// the first frame is decoded, on a transparent canvas, and no other.
#include <memory>
#include <utility>

#include <webp/decode.h>
#include <webp/demux.h>

#include "nolens/error.h"

#include "core/check.h"
#include "media/decoders.h"
#include "media/exif.h"

namespace nolens {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const noexcept { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DeleteDemuxer>;

/// The first frame, released at the end of the scope.
struct FirstFrame {
  WebPIterator frame{};
  bool found = false;

  explicit FirstFrame(const WebPDemuxer* demuxer)
      : found(WebPDemuxGetFrame(demuxer, 1, &frame) != 0) {}
  FirstFrame(const FirstFrame&) = delete;
  FirstFrame& operator=(const FirstFrame&) = delete;
  ~FirstFrame() { WebPDemuxReleaseIterator(&frame); }
};

/// Content of the first chunk of that name; empty if there is none. Points into the file.
std::span<const std::byte> chunk_data(const WebPDemuxer* demuxer, const char* four_letters) {
  WebPChunkIterator iterator{};
  std::span<const std::byte> result;
  if (WebPDemuxGetChunk(demuxer, four_letters, 1, &iterator) != 0) {
    result = std::as_bytes(std::span(iterator.chunk.bytes, iterator.chunk.size));
  }
  WebPDemuxReleaseChunkIterator(&iterator);
  return result;
}

Demuxer open(const DecodeRequest& request) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(request.file.data()),
                      request.file.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Demuxer demuxer(WebPDemuxPartial(&data, &state));
  if (state == WEBP_DEMUX_PARSE_ERROR) {
    throw_bad_image(request, "is corrupt; get the file again");
  }
  if (state != WEBP_DEMUX_DONE) {
    if (demuxer != nullptr && state == WEBP_DEMUX_PARSED_HEADER) {  // the canvas is known
      check_image_size(request, WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                       WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
    }
    throw_bad_image(request, "ends before the picture does; the file is cut, send it again whole");
  }
  if (demuxer == nullptr) {
    throw Error(ErrorCode::kResource, request.name + ": out of memory while decoding the picture");
  }
  return demuxer;
}

/// Decodes `frame` into its place on the canvas.
void decode_frame(const DecodeRequest& request, const WebPIterator& frame,
                  std::int64_t canvas_width, std::int64_t channels, Pixels& canvas) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0 ||
      WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input) != VP8_STATUS_OK ||
      config.input.width != frame.width || config.input.height != frame.height) {
    throw_bad_image(request, "is corrupt; get the file again");
  }
  const std::int64_t stride = canvas_width * channels;
  const std::int64_t offset = frame.y_offset * stride + frame.x_offset * channels;
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas.data() + offset;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = canvas.size() - static_cast<std::size_t>(offset);
  switch (WebPDecode(frame.fragment.bytes, frame.fragment.size, &config)) {
    case VP8_STATUS_OK: return;
    case VP8_STATUS_OUT_OF_MEMORY:
      throw Error(ErrorCode::kResource,
                  request.name + ": out of memory while decoding the picture");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      throw_bad_image(request,
                      "ends before the picture does; the file is cut, send it again whole");
    default: throw_bad_image(request, "is corrupt; get the file again");
  }
}

}  // namespace

DecodedImage decode_webp(const DecodeRequest& request) {
  const Demuxer demuxer = open(request);
  DecodedImage result;
  result.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  result.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_image_size(request, result.width, result.height);
  const FirstFrame first(demuxer.get());
  const WebPIterator& frame = first.frame;
  if (!first.found || frame.complete == 0) {
    throw_bad_image(request, "holds no complete frame; get the file again");
  }
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.x_offset + frame.width > result.width ||
      frame.y_offset + frame.height > result.height) {
    throw_bad_image(request, "places its first frame outside of its canvas");
  }
  const std::int64_t channels = request.alpha == AlphaMode::kDrop ? 3 : 4;
  result.rgb = allocate_zero_samples(request, result.width, result.height, channels);
  decode_frame(request, frame, result.width, channels, result.rgb);
  if (channels == 4) {
    composite_on_white(result.rgb);
  }
  result.orientation = resolve_orientation(exif_orientation(chunk_data(demuxer.get(), "EXIF")),
                                           xmp_orientation(chunk_data(demuxer.get(), "XMP ")));
  return result;
}

}  // namespace nolens
