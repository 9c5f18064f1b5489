// Bytes -> Image: recognises the format, checks the limits, turns the picture upright.
#include <algorithm>
#include <new>
#include <utility>

#include "nolens/error.h"
#include "nolens/media.h"

#include "core/checked_math.h"
#include "core/escape.h"
#include "media/decoders.h"
#include "media/exif.h"
#include "media/image_format.h"

namespace nolens {
namespace {

constexpr char kSupported[] = "supported pictures are JPEG, PNG and WebP";

[[noreturn]] void throw_unknown_format(std::span<const std::byte> file, const std::string& name) {
  if (file.empty()) {
    throw Error(ErrorCode::kInput,
                name + ": the picture is empty (0 bytes arrived); " + kSupported);
  }
  const std::string_view kind = other_file_kind(file);
  if (!kind.empty()) {
    throw Error(ErrorCode::kInput,
                name + ": this is " + std::string(kind) + "; " + kSupported + ": convert it first");
  }
  const std::string_view start(reinterpret_cast<const char*>(file.data()),
                               std::min<std::size_t>(file.size(), 8));
  throw Error(ErrorCode::kInput, name + ": this is no picture of a known kind (" +
                                     std::to_string(file.size()) + " bytes, beginning with '" +
                                     escape_for_message(start) + "'); " + kSupported);
}

DecodedImage decode_pixels(std::span<const std::byte> file, const std::string& name,
                           const ImageLimits& limits, AlphaMode alpha) {
  switch (image_format(file)) {
    case ImageFormat::kJpeg: return decode_jpeg({file, name, "JPEG", limits, alpha});
    case ImageFormat::kPng: return decode_png({file, name, "PNG", limits, alpha});
    case ImageFormat::kWebp: return decode_webp({file, name, "WebP", limits, alpha});
    case ImageFormat::kUnknown: break;
  }
  throw_unknown_format(file, name);
}

}  // namespace

Image Image::decode(std::span<const std::byte> file, const std::string& name,
                    const ImageLimits& limits, AlphaMode alpha) {
  const std::string shown = escape_for_message(name);
  try {
    DecodedImage decoded = decode_pixels(file, shown, limits, alpha);
    apply_orientation(decoded.orientation, decoded.width, decoded.height, decoded.rgb);
    const auto rgb = std::make_shared<const Pixels>(std::move(decoded.rgb));
    Image image;
    image.width_ = image.source_width_ = decoded.width;
    image.height_ = image.source_height_ = decoded.height;
    image.rgb_ = std::shared_ptr<const std::uint8_t>(rgb, rgb->data());
    return image;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource,
                shown + ": out of memory while decoding the picture; scale it down first");
  }
}

Image Image::from_rgb8(std::int64_t width, std::int64_t height, std::vector<std::uint8_t> rgb) {
  const auto pixels = checked_mul(width, height);
  const auto bytes = pixels ? checked_mul(*pixels, 3) : std::nullopt;
  if (!bytes || *bytes == 0 || rgb.size() != static_cast<std::size_t>(*bytes)) {
    throw Error(ErrorCode::kUsage,
                "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                    " pixels needs width * height * 3 bytes, at least one pixel; " +
                    std::to_string(rgb.size()) + " bytes were given");
  }
  Image image;
  image.width_ = image.source_width_ = width;
  image.height_ = image.source_height_ = height;
  const auto owner = std::make_shared<const std::vector<std::uint8_t>>(std::move(rgb));
  image.rgb_ = std::shared_ptr<const std::uint8_t>(owner, owner->data());
  return image;
}

Image Image::cropped(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height) const {
  if (x < 0 || y < 0 || width < 1 || height < 1 || width > width_ - x || height > height_ - y) {
    throw Error(ErrorCode::kUsage, "a cut of " + std::to_string(width) + " x " + std::to_string(height) +
                                       " pixels at (" + std::to_string(x) + ", " + std::to_string(y) +
                                       ") does not lie inside a picture of " + std::to_string(width_) +
                                       " x " + std::to_string(height_));
  }
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(width * height * 3));
  for (std::int64_t row = y; row < y + height; ++row) {
    const std::uint8_t* first = rgb_.get() + (row * width_ + x) * 3;
    pixels.insert(pixels.end(), first, first + width * 3);
  }
  return from_rgb8(width, height, std::move(pixels));
}

Image Image::scaled_from(std::int64_t width, std::int64_t height) const {
  if (width < 1 || height < 1) {
    throw Error(ErrorCode::kUsage, "a picture cannot have been scaled from " +
                                       std::to_string(width) + " x " + std::to_string(height) +
                                       " pixels; both sides must be at least 1");
  }
  Image image = *this;
  image.source_width_ = width;
  image.source_height_ = height;
  return image;
}

}  // namespace nolens
