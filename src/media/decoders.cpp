// Checks, allocation and alpha: what every decoder of this folder does alike.
#include "media/decoders.h"

#include <algorithm>
#include <new>
#include <stdexcept>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"

namespace nolens {

void throw_bad_image(const DecodeRequest& request, std::string_view what) {
  throw Error(ErrorCode::kInput, request.name + ": the " + std::string(request.format) + " data " +
                                     std::string(what) + " (" +
                                     std::to_string(request.file.size()) + " bytes arrived)");
}

void check_image_size(const DecodeRequest& request, std::int64_t width, std::int64_t height) {
  const auto pixels = checked_mul(width, height);
  if (pixels && *pixels == 0) {
    throw_bad_image(request, "describes a picture without pixels");
  }
  const std::string size = std::to_string(width) + " x " + std::to_string(height);
  if (width > request.limits.max_side || height > request.limits.max_side) {
    throw Error(ErrorCode::kResource,
                request.name + ": the picture has " + size + " pixels, but no side may exceed " +
                    std::to_string(request.limits.max_side) + "; scale it down or cut it first");
  }
  if (!pixels || *pixels > request.limits.max_pixels) {
    throw Error(ErrorCode::kResource,
                request.name + ": the picture has " + size + " pixels, more than the limit of " +
                    std::to_string(request.limits.max_pixels) + "; scale it down first");
  }
}

Pixels allocate_samples(const DecodeRequest& request, std::int64_t width, std::int64_t height,
                        std::int64_t channels) {
  const auto pixels = checked_mul(width, height);
  const auto bytes = pixels ? checked_mul(*pixels, channels) : std::nullopt;
  NOLENS_CHECK(bytes.has_value());
  try {
    return Pixels(static_cast<std::size_t>(*bytes));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource, request.name + ": out of memory: could not allocate " +
                                          std::to_string(*bytes) +
                                          " bytes for the pixels; scale the picture down first");
  }
}

Pixels allocate_zero_samples(const DecodeRequest& request, std::int64_t width, std::int64_t height,
                             std::int64_t channels) {
  Pixels samples = allocate_samples(request, width, height, channels);
  std::fill(samples.begin(), samples.end(), std::uint8_t{0});
  return samples;
}

void composite_on_white(Pixels& rgba) {
  const std::size_t pixels = rgba.size() / 4;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint32_t alpha = rgba[4 * i + 3];
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const std::uint32_t mixed = rgba[4 * i + channel] * alpha + 255U * (255U - alpha);
      rgba[3 * i + channel] = static_cast<std::uint8_t>((mixed + 127U) / 255U);
    }
  }
  rgba.resize(3 * pixels);
}

}  // namespace nolens
