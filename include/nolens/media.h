// Decoded media that a prompt may hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nolens {

/// What becomes of an alpha channel. The reference implementation drops it (kDrop).
enum class AlphaMode : std::uint8_t { kDrop, kWhite };

/// Limits that are checked against a picture's header before its pixels are decoded.
struct ImageLimits {
  std::int64_t max_pixels = 64'000'000;  ///< width * height
  std::int64_t max_side = 65'535;        ///< pixels
  int max_jpeg_scans = 500;              ///< a progressive JPEG with more is refused
  std::int64_t max_images = 16;          ///< pictures in one messages document
  std::int64_t max_total_bytes = std::int64_t{512} << 20;  ///< their decoded pixels together
};

/// A picture: 8-bit RGB, row-major, rows without padding. Owns its pixels.
class Image {
 public:
  Image() = default;

  /// Decodes JPEG, PNG or WebP, told apart by their first bytes, and applies the EXIF orientation
  /// (XMP's where EXIF has none). The pixels are Pillow's convert("RGB"), as the reference loader
  /// has them: grey is replicated, palettes expanded, 16-bit samples reduced to their high byte
  /// (16-bit grey without alpha is clipped at 255 instead), CMYK converted. Of an animation the
  /// first frame counts. `name` stands for the picture in error messages.
  /// \throws Error{kInput} if the data is no picture of these kinds, is cut or is corrupt;
  ///         Error{kResource} if it exceeds `limits`.
  static Image decode(std::span<const std::byte> file, const std::string& name,
                      const ImageLimits& limits = {}, AlphaMode alpha = AlphaMode::kDrop);

  /// Takes width * height * 3 bytes. \throws Error{kUsage} on another size.
  static Image from_rgb8(std::int64_t width, std::int64_t height, std::vector<std::uint8_t> rgb);

  [[nodiscard]] std::int64_t width() const noexcept { return width_; }
  [[nodiscard]] std::int64_t height() const noexcept { return height_; }
  [[nodiscard]] std::span<const std::uint8_t> rgb() const noexcept { return rgb_; }  ///< [H, W, 3]

 private:
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  std::vector<std::uint8_t> rgb_;
};

}  // namespace nolens
