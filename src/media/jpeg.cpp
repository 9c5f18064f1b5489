// JPEG through libjpeg-turbo, with the settings of Pillow's decoder (accurate integer DCT, smooth
// chroma upsampling), so that pixels are equal.
//
// libjpeg reports errors by longjmp(), which must not jump over destructors. So the work is cut in
// guarded_*() functions that hold no object with a destructor and never throw; everything they need
// lies in JpegState, owned by the caller.
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <jerror.h>
#include <jpeglib.h>

#include "core/check.h"
#include "media/decoders.h"
#include "media/exif.h"

namespace nolens {
namespace {

/// Work bound for files that hold many scans: pixels times scans. 64 megapixels in 60 scans.
constexpr std::int64_t kMaxScanPixels = 4'000'000'000;

enum class JpegFailure : std::uint8_t { kNone, kLibrary, kCut, kScans };

struct JpegState {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  JpegFailure failure = JpegFailure::kNone;
  int message_code = 0;  ///< libjpeg's, for failure == kLibrary
  int max_scans = 0;

  JpegState() = default;
  JpegState(const JpegState&) = delete;
  JpegState& operator=(const JpegState&) = delete;
  ~JpegState() { jpeg_destroy_decompress(&info); }  // fine on a zeroed struct
};

JpegState& state_of(j_common_ptr info) {
  return *static_cast<JpegState*>(info->client_data);
}
JpegState& state_of(j_decompress_ptr info) {
  return *static_cast<JpegState*>(info->client_data);
}

[[noreturn]] void fail(JpegState& state, JpegFailure failure) {
  state.failure = failure;
  std::longjmp(state.jump, 1);
}

void on_error(j_common_ptr info) {
  JpegState& state = state_of(info);
  state.message_code = info->err->msg_code;
  fail(state, JpegFailure::kLibrary);
}

/// Warnings mean that libjpeg is about to make pixels up. These three do not touch pixels.
void on_message(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  const bool harmless =
      code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
  if (level < 0 && !harmless) {
    on_error(info);
  }
}

void on_output(j_common_ptr /*info*/) {}

void on_source_start(j_decompress_ptr /*info*/) {}

/// The whole file is in the buffer from the start: wanting more means that it is cut.
boolean on_source_empty(j_decompress_ptr info) {
  fail(state_of(info), JpegFailure::kCut);
}

void on_source_skip(j_decompress_ptr info, long count) {
  if (count <= 0) {
    return;
  }
  jpeg_source_mgr& source = *info->src;
  const auto size = static_cast<std::size_t>(count);
  if (size > source.bytes_in_buffer) {
    fail(state_of(info), JpegFailure::kCut);
  }
  source.next_input_byte += size;
  source.bytes_in_buffer -= size;
}

void on_progress(j_common_ptr common) {
  JpegState& state = state_of(common);
  const int scans = state.info.input_scan_number;
  const std::int64_t pixels = std::int64_t{state.info.image_width} * state.info.image_height;
  if (scans > state.max_scans || (scans > 1 && scans * pixels > kMaxScanPixels)) {
    fail(state, JpegFailure::kScans);
  }
}

void connect(JpegState& state, const DecodeRequest& request) {
  jpeg_std_error(&state.errors);
  state.errors.error_exit = on_error;
  state.errors.emit_message = on_message;
  state.errors.output_message = on_output;
  state.info.err = &state.errors;
  state.info.client_data = &state;
  state.source.init_source = on_source_start;
  state.source.term_source = on_source_start;
  state.source.fill_input_buffer = on_source_empty;
  state.source.skip_input_data = on_source_skip;
  state.source.resync_to_restart = jpeg_resync_to_restart;
  state.source.next_input_byte = reinterpret_cast<const JOCTET*>(request.file.data());
  state.source.bytes_in_buffer = request.file.size();
  state.progress.progress_monitor = on_progress;
  state.max_scans = request.limits.max_jpeg_scans;
}

/// Everything up to the first scan. False: state.failure says why.
bool guarded_read_header(JpegState& state) noexcept {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  jpeg_create_decompress(&state.info);  // clears all but err and client_data
  state.info.src = &state.source;
  state.info.progress = &state.progress;
  jpeg_save_markers(&state.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&state.info, TRUE);
  return true;
}

/// Pillow's conversion; JPEG files hold the four inks inverted, as Adobe writes them.
void inverted_cmyk_to_rgb(const std::uint8_t* cmyk, std::int64_t pixels, std::uint8_t* rgb) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    const int paper = cmyk[4 * i + 3];
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      const int product = (255 - cmyk[4 * i + channel]) * paper + 128;
      const int ink = ((product >> 8) + product) >> 8;
      rgb[3 * i + channel] = static_cast<std::uint8_t>(paper > ink ? paper - ink : 0);
    }
  }
}

/// Decodes into `rgb` [height, width, 3]; `cmyk_row` has room for one row of four inks.
bool guarded_read_pixels(JpegState& state, std::uint8_t* rgb, std::uint8_t* cmyk_row) noexcept {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  const bool is_cmyk = state.info.num_components == 4;
  state.info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  state.info.dct_method = JDCT_ISLOW;
  state.info.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&state.info);
  const std::int64_t width = state.info.output_width;
  while (state.info.output_scanline < state.info.output_height) {
    std::uint8_t* target = rgb + std::int64_t{state.info.output_scanline} * width * 3;
    JSAMPROW row = is_cmyk ? cmyk_row : target;
    jpeg_read_scanlines(&state.info, &row, 1);
    if (is_cmyk) {
      inverted_cmyk_to_rgb(cmyk_row, width, target);
    }
  }
  jpeg_finish_decompress(&state.info);  // reads up to the end marker
  return true;
}

[[noreturn]] void throw_failure(const JpegState& state, const DecodeRequest& request) {
  if (state.failure == JpegFailure::kCut) {
    throw_bad_image(request, "ends before the picture does; the file is cut, send it again whole");
  }
  if (state.failure == JpegFailure::kScans) {
    throw_bad_image(request, "holds more scans than the limit of " +
                                 std::to_string(state.max_scans) +
                                 " or too many for its size; save it again as baseline JPEG");
  }
  switch (state.message_code) {
    case JERR_EMPTY_IMAGE: throw_bad_image(request, "describes a picture without pixels");
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
      throw_bad_image(request,
                      "is of a kind that is not supported (lossless, hierarchical or not "
                      "8-bit); save it again as baseline JPEG");
    case JERR_OUT_OF_MEMORY:
      throw Error(ErrorCode::kResource,
                  request.name + ": out of memory while decoding; scale the picture down first");
    default: throw_bad_image(request, "is corrupt; get the file again");
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif{"Exif\0\0", 6};
  constexpr std::string_view kXmp{"http://ns.adobe.com/xap/1.0/\0", 29};
  std::optional<std::uint32_t> exif;
  std::optional<std::uint32_t> xmp;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    const auto bytes = std::as_bytes(std::span(marker->data, marker->data_length));
    if (!exif && data.substr(0, kExif.size()) == kExif) {
      exif = exif_orientation(bytes);
    } else if (!xmp && data.substr(0, kXmp.size()) == kXmp) {
      xmp = xmp_orientation(bytes.subspan(kXmp.size()));
    }
  }
  return resolve_orientation(exif, xmp);
}

}  // namespace

DecodedImage decode_jpeg(const DecodeRequest& request) {
  JpegState state;
  connect(state, request);
  if (!guarded_read_header(state)) {
    throw_failure(state, request);
  }
  DecodedImage result;
  result.width = state.info.image_width;
  result.height = state.info.image_height;
  check_image_size(request, result.width, result.height);
  const int components = state.info.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw_bad_image(request, "has " + std::to_string(components) +
                                 " colour components; 1, 3 or 4 were expected");
  }
  result.orientation = orientation_of(state.info);
  result.rgb = allocate_samples(request, result.width, result.height, 3);
  std::vector<std::uint8_t> cmyk_row(static_cast<std::size_t>(result.width * 4));
  if (!guarded_read_pixels(state, result.rgb.data(), cmyk_row.data())) {
    throw_failure(state, request);
  }
  return result;
}

}  // namespace nolens
