// Any bytes are a picture within the limits or an Error of ours, in both alpha modes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "nolens/error.h"
#include "nolens/media.h"

namespace {

/// Small limits: the fuzzer looks for broken memory, not for slow large pictures.
constexpr nolens::ImageLimits kLimits{
    .max_pixels = 1 << 20, .max_side = 4096, .max_jpeg_scans = 50};

void decode(std::span<const std::byte> file, nolens::AlphaMode alpha) {
  try {
    const nolens::Image image = nolens::Image::decode(file, "picture", kLimits, alpha);
    const auto pixels = image.width() * image.height();
    if (pixels < 1 || pixels > kLimits.max_pixels ||
        image.rgb().size() != static_cast<std::size_t>(3 * pixels)) {
      std::abort();
    }
  } catch (const nolens::Error& error) {
    const std::string_view message = error.what();
    const bool is_ours = message.substr(0, 9) == "picture: " && message.size() < 400;
    if (!is_ours || error.code() == nolens::ErrorCode::kInternal) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  decode(file, nolens::AlphaMode::kDrop);
  decode(file, nolens::AlphaMode::kWhite);
  return 0;
}
