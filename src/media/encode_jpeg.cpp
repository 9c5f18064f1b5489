// Pixels -> JPEG through libjpeg-turbo. As in jpeg.cpp, errors jump, so the function that is jumped
// out of holds no object with a destructor.
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <cstring>
#include <jpeglib.h>

#include "nolens/error.h"
#include "nolens/media.h"

namespace nolens {
namespace {

struct EncoderState {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  EncoderState() = default;
  EncoderState(const EncoderState&) = delete;
  EncoderState& operator=(const EncoderState&) = delete;
  ~EncoderState() {
    jpeg_destroy_compress(&info);  // fine on a zeroed struct
    std::free(bytes);              // libjpeg took it from malloc
  }
};

void on_error(j_common_ptr info) {
  std::longjmp(static_cast<EncoderState*>(info->client_data)->jump, 1);
}

void on_message(j_common_ptr /*info*/, int /*level*/) {}

bool guarded_encode(EncoderState& state, const unsigned char* rgb, std::int64_t width,
                    std::int64_t height, int quality) {
  state.info.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = on_error;
  state.errors.emit_message = on_message;
  state.info.client_data = &state;
  if (setjmp(state.jump) != 0) {
    return false;
  }
  jpeg_create_compress(&state.info);
  state.info.client_data = &state;
  jpeg_mem_dest(&state.info, &state.bytes, &state.size);
  state.info.image_width = static_cast<JDIMENSION>(width);
  state.info.image_height = static_cast<JDIMENSION>(height);
  state.info.input_components = 3;
  state.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state.info);
  jpeg_set_quality(&state.info, quality, TRUE);
  jpeg_start_compress(&state.info, TRUE);
  while (state.info.next_scanline < state.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(rgb + std::size_t{state.info.next_scanline} *
                                                  static_cast<std::size_t>(width) * 3);
    jpeg_write_scanlines(&state.info, &row, 1);
  }
  jpeg_finish_compress(&state.info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  if (quality < 1 || quality > 100 || image.width() < 1 || image.width() > JPEG_MAX_DIMENSION ||
      image.height() < 1 || image.height() > JPEG_MAX_DIMENSION) {
    throw Error(ErrorCode::kUsage, "a picture of " + std::to_string(image.width()) + "x" +
                                       std::to_string(image.height()) + " pixels in quality " +
                                       std::to_string(quality) + ": a JPEG has 1 to " +
                                       std::to_string(JPEG_MAX_DIMENSION) +
                                       " pixels a side and quality 1 to 100");
  }
  EncoderState state;
  if (!guarded_encode(state, image.rgb().data(), image.width(), image.height(), quality)) {
    throw Error(ErrorCode::kResource, "the picture could not be written as JPEG: out of memory");
  }
  std::vector<std::byte> file(state.size);
  std::memcpy(file.data(), state.bytes, file.size());
  return file;
}

}  // namespace nolens
