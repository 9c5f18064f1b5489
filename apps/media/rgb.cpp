// libswscale with its accurate settings; turning.
#include "rgb.h"

#include <cstdlib>
#include <new>

#include "job.h"

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
}

namespace nolens::media_app {
namespace {

/// The display matrix of a track, or null. FFmpeg 6.1 moved it.
const std::int32_t* display_matrix(const AVStream& stream) {
  constexpr std::size_t kBytes = 9 * sizeof(std::int32_t);
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  if (data == nullptr || data->size < kBytes) {
    return nullptr;
  }
  return reinterpret_cast<const std::int32_t*>(data->data);
#else
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return size < kBytes ? nullptr : reinterpret_cast<const std::int32_t*>(data);
#endif
}

struct PixelFormat {
  AVPixelFormat format = AV_PIX_FMT_NONE;
  bool full_range = false;
};

/// The old names for full range are gone from newer headers' good graces; the range is told apart.
PixelFormat plain_format(const AVFrame& frame) {
  const bool full = frame.color_range == AVCOL_RANGE_JPEG;
  switch (static_cast<AVPixelFormat>(frame.format)) {
    case AV_PIX_FMT_YUVJ420P: return {AV_PIX_FMT_YUV420P, true};
    case AV_PIX_FMT_YUVJ422P: return {AV_PIX_FMT_YUV422P, true};
    case AV_PIX_FMT_YUVJ444P: return {AV_PIX_FMT_YUV444P, true};
    case AV_PIX_FMT_YUVJ440P: return {AV_PIX_FMT_YUV440P, true};
    case AV_PIX_FMT_YUVJ411P: return {AV_PIX_FMT_YUV411P, true};
    default: return {static_cast<AVPixelFormat>(frame.format), full};
  }
}

}  // namespace

Turn turn_of(const AVStream& stream) {
  const std::int32_t* matrix = display_matrix(stream);
  if (matrix == nullptr) {
    return {};
  }
  // x' = a x + c y, y' = b x + d y (ISO 14496-12, 6.2.2).
  const auto magnitude = [](std::int32_t value) {
    return std::abs(static_cast<std::int64_t>(value));
  };
  const std::int32_t a = matrix[0];
  const std::int32_t b = matrix[1];
  const std::int32_t c = matrix[3];
  const std::int32_t d = matrix[4];
  if (magnitude(b) + magnitude(c) > magnitude(a) + magnitude(d)) {
    return {.transpose = true, .flip_x = c < 0, .flip_y = b < 0};
  }
  return {.transpose = false, .flip_x = a < 0, .flip_y = d < 0};
}

void RgbConverter::Free::operator()(std::uint8_t* memory) const noexcept {
  av_free(memory);
}

void RgbConverter::prepare(const AVFrame& frame) {
  if (context_ && width_ == frame.width && height_ == frame.height && format_ == frame.format &&
      colorspace_ == frame.colorspace && range_ == frame.color_range) {
    return;
  }
  const PixelFormat source = plain_format(frame);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(source.format);
  if (description == nullptr || sws_isSupportedInput(source.format) == 0) {
    throw Failure{.reason = wire::Reason::kCodec, .word = "unknown-pixels"};
  }
  alpha_ = (description->flags & AV_PIX_FMT_FLAG_ALPHA) != 0 || source.format == AV_PIX_FMT_PAL8;
  const AVPixelFormat target = alpha_ ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
  context_.reset(sws_getContext(
      frame.width, frame.height, source.format, frame.width, frame.height, target,
      SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT,
      nullptr, nullptr, nullptr));
  if (!context_) {
    throw std::bad_alloc();
  }
  constexpr int kOne = 1 << 16;
  const bool known = frame.colorspace != AVCOL_SPC_UNSPECIFIED && frame.colorspace != AVCOL_SPC_RGB;
  const int* matrix =
      sws_getCoefficients(known ? static_cast<int>(frame.colorspace) : SWS_CS_DEFAULT);
  sws_setColorspaceDetails(context_.get(), matrix, source.full_range ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, kOne, kOne);
  width_ = frame.width;
  height_ = frame.height;
  format_ = frame.format;
  colorspace_ = frame.colorspace;
  range_ = frame.color_range;
  // Its vector code may write past the last pixel of a row.
  constexpr int kSlack = 64;
  stride_ = (width_ * (alpha_ ? 4 : 3) + 2 * kSlack - 1) / kSlack * kSlack;
  const auto bytes = static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height_) + kSlack;
  plane_.reset(static_cast<std::uint8_t*>(av_malloc(bytes)));
  if (!plane_) {
    throw std::bad_alloc();
  }
}

Rgb RgbConverter::convert(const AVFrame& frame) {
  prepare(frame);
  std::uint8_t* const planes[4] = {plane_.get(), nullptr, nullptr, nullptr};
  const int strides[4] = {stride_, 0, 0, 0};
  if (sws_scale(context_.get(), frame.data, frame.linesize, 0, height_, planes, strides) !=
      height_) {
    throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
  }
  Rgb result;
  const auto width = static_cast<std::size_t>(width_);
  const auto height = static_cast<std::size_t>(height_);
  const std::size_t out_width = turn_.transpose ? height : width;
  const std::size_t out_height = turn_.transpose ? width : height;
  result.width = static_cast<std::uint32_t>(out_width);
  result.height = static_cast<std::uint32_t>(out_height);
  result.pixels.resize(width * height * 3);
  const std::size_t step = alpha_ ? 4 : 3;
  std::uint8_t* to = result.pixels.data();
  for (std::size_t y = 0; y < out_height; ++y) {
    const std::size_t from_y = turn_.flip_y ? out_height - 1 - y : y;
    for (std::size_t x = 0; x < out_width; ++x) {
      const std::size_t from_x = turn_.flip_x ? out_width - 1 - x : x;
      const std::size_t row = turn_.transpose ? from_x : from_y;
      const std::size_t column = turn_.transpose ? from_y : from_x;
      const std::uint8_t* from =
          plane_.get() + row * static_cast<std::size_t>(stride_) + column * step;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const unsigned alpha = alpha_ && white_ ? from[3] : 255U;
        *to++ = static_cast<std::uint8_t>((from[channel] * alpha + 255U * (255U - alpha) + 127U) /
                                          255U);
      }
    }
  }
  return result;
}

}  // namespace nolens::media_app
