// PNG through libpng. Only the chunks that make pixels are interpreted: colour profiles, texts and
// the like are skipped unread, so nothing that is compressed inside them is ever expanded.
//
// libpng reports errors by longjmp(): see jpeg.cpp for how destructors are kept out of its way.
#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <png.h>
#include <utility>

#include "nolens/error.h"

#include "core/check.h"
#include "media/decoders.h"
#include "media/exif.h"

namespace nolens {
namespace {

constexpr std::size_t kSignatureSize = 8;
constexpr std::size_t kChunkOverhead = 12;  // length, type, CRC

enum class PngFailure : std::uint8_t { kNone, kLibrary, kCut };

/// What the rows that libpng hands out look like.
enum class PngRows : std::uint8_t { kRgb, kRgba, kGrey16 };

struct PngState {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::span<const std::byte> rest;
  std::jmp_buf jump{};
  PngFailure failure = PngFailure::kNone;

  PngState() = default;
  PngState(const PngState&) = delete;
  PngState& operator=(const PngState&) = delete;
  ~PngState() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void fail(PngState& state, PngFailure failure) {
  state.failure = failure;
  std::longjmp(state.jump, 1);
}

[[noreturn]] void on_error(png_structp png, png_const_charp /*text*/) {
  fail(*static_cast<PngState*>(png_get_error_ptr(png)), PngFailure::kLibrary);
}

void on_warning(png_structp /*png*/, png_const_charp /*text*/) {}

void on_read(png_structp png, png_bytep target, std::size_t size) {
  PngState& state = *static_cast<PngState*>(png_get_io_ptr(png));
  if (size > state.rest.size()) {
    fail(state, PngFailure::kCut);
  }
  std::memcpy(target, state.rest.data(), size);
  state.rest = state.rest.subspan(size);
}

/// Everything up to the first pixel. False: state.failure says why.
bool guarded_read_header(PngState& state) noexcept {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
  if (state.png == nullptr) {
    return false;
  }
  state.info = png_create_info_struct(state.png);
  if (state.info == nullptr) {
    return false;
  }
  png_set_read_fn(state.png, &state, on_read);
  // Sizes were checked against our limits before.
  png_set_user_limits(state.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_crc_action(state.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Four letters and a zero each.
  static constexpr png_byte kSkipped[] =
      "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0"
      "sTER\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(state.png, PNG_HANDLE_CHUNK_NEVER, kSkipped,
                              static_cast<int>(sizeof(kSkipped) / 5));
  png_read_info(state.png, state.info);
  return true;
}

/// Asks libpng for rows of one kind, whatever the file holds.
bool guarded_choose_rows(PngState& state, PngRows rows) noexcept {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  if (rows != PngRows::kGrey16) {
    png_set_palette_to_rgb(state.png);
    png_set_expand_gray_1_2_4_to_8(state.png);
    png_set_strip_16(state.png);  // the high byte, not rounded: as Pillow
    png_set_gray_to_rgb(state.png);
    if (rows == PngRows::kRgb) {
      png_set_strip_alpha(state.png);
    } else {
      png_set_tRNS_to_alpha(state.png);
      png_set_add_alpha(state.png, 0xFF, PNG_FILLER_AFTER);
    }
  }
  png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  return true;
}

bool guarded_read_pixels(PngState& state, std::uint8_t* pixels, std::int64_t height,
                         std::int64_t row_bytes) noexcept {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  const int passes = png_get_interlace_type(state.png, state.info) == PNG_INTERLACE_ADAM7
                         ? PNG_INTERLACE_ADAM7_PASSES
                         : 1;
  for (int pass = 0; pass < passes; ++pass) {
    for (std::int64_t y = 0; y < height; ++y) {
      png_read_row(state.png, pixels + y * row_bytes, nullptr);
    }
  }
  png_read_end(state.png, nullptr);  // the rest of the file must be there and intact, too
  return true;
}

[[noreturn]] void throw_failure(const PngState& state, const DecodeRequest& request) {
  if (state.png == nullptr || state.info == nullptr) {
    throw Error(ErrorCode::kResource, request.name + ": out of memory while decoding the picture");
  }
  if (state.failure == PngFailure::kCut) {
    throw_bad_image(request, "ends before the picture does; the file is cut, send it again whole");
  }
  throw_bad_image(request, "is corrupt; get the file again");
}

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[offset + i]);
  }
  return value;
}

/// Checks the size that IHDR, always the first chunk, claims: before libpng allocates a row.
void check_header_size(const DecodeRequest& request) {
  if (request.file.size() < kSignatureSize + 16) {
    throw_bad_image(request, "ends before the picture does; the file is cut, send it again whole");
  }
  check_image_size(request, big_endian(request.file, 16), big_endian(request.file, 20));
}

/// Finds the orientation in eXIf, or in an XMP text that is not compressed. Walks the chunks'
/// lengths; their checksums are libpng's business.
int orientation_of(std::span<const std::byte> file) {
  constexpr std::string_view kXmp{"XML:com.adobe.xmp\0\0", 19};  // keyword, not compressed
  std::optional<std::uint32_t> exif;
  std::optional<std::uint32_t> xmp;
  std::size_t at = kSignatureSize;
  while (file.size() - at >= kChunkOverhead) {
    const std::size_t length = big_endian(file, at);
    if (length > file.size() - at - kChunkOverhead) {
      break;
    }
    const std::string_view type(reinterpret_cast<const char*>(file.data()) + at + 4, 4);
    const auto data = file.subspan(at + 8, length);
    if (type == "eXIf") {
      exif = exif_orientation(data);
    } else if (type == "iTXt" && length > kXmp.size() &&
               std::memcmp(data.data(), kXmp.data(), kXmp.size()) == 0) {
      xmp = xmp_orientation(data);
    }
    at += length + kChunkOverhead;
  }
  return resolve_orientation(exif, xmp);
}

/// 16-bit grey. Without an alpha channel Pillow opens it as "I;16" and clips at 255 on the way to
/// RGB; the reference loader therefore does too.
Pixels clip_grey16(const PngState& state, const DecodeRequest& request, const DecodedImage& size,
                   const Pixels& samples) {
  png_color_16p key = nullptr;
  const bool has_key = request.alpha == AlphaMode::kWhite &&
                       png_get_tRNS(state.png, state.info, nullptr, nullptr, &key) != 0 &&
                       key != nullptr;
  Pixels rgb = allocate_zero_samples(request, size.width, size.height, 3);
  for (std::size_t i = 0; i < rgb.size() / 3; ++i) {
    const int value = samples[2 * i] << 8 | samples[2 * i + 1];
    const bool transparent = has_key && value == key->gray;
    const auto grey = static_cast<std::uint8_t>(transparent ? 255 : std::min(value, 255));
    std::fill_n(rgb.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, grey);
  }
  return rgb;
}

}  // namespace

DecodedImage decode_png(const DecodeRequest& request) {
  check_header_size(request);
  PngState state;
  state.rest = request.file;
  if (!guarded_read_header(state)) {
    throw_failure(state, request);
  }
  DecodedImage result;
  result.width = png_get_image_width(state.png, state.info);
  result.height = png_get_image_height(state.png, state.info);
  check_image_size(request, result.width, result.height);
  const bool grey16 = png_get_color_type(state.png, state.info) == PNG_COLOR_TYPE_GRAY &&
                      png_get_bit_depth(state.png, state.info) == 16;
  const PngRows rows = grey16                              ? PngRows::kGrey16
                       : request.alpha == AlphaMode::kDrop ? PngRows::kRgb
                                                           : PngRows::kRgba;
  if (!guarded_choose_rows(state, rows)) {
    throw_failure(state, request);
  }
  const std::int64_t channels = rows == PngRows::kGrey16 ? 2 : rows == PngRows::kRgb ? 3 : 4;
  const std::int64_t row_bytes = result.width * channels;
  NOLENS_CHECK(static_cast<std::int64_t>(png_get_rowbytes(state.png, state.info)) == row_bytes);
  Pixels samples = allocate_zero_samples(request, result.width, result.height, channels);
  if (!guarded_read_pixels(state, samples.data(), result.height, row_bytes)) {
    throw_failure(state, request);
  }
  if (rows == PngRows::kGrey16) {
    samples = clip_grey16(state, request, result, samples);
  } else if (rows == PngRows::kRgba) {
    composite_on_white(samples);
  }
  result.rgb = std::move(samples);
  result.orientation = orientation_of(request.file);
  return result;
}

}  // namespace nolens
