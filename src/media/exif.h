// Which way up a picture is: the orientation tag of EXIF and of XMP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "media/pixels.h"

namespace nolens {

/// Value of tag 0x0112 in the first directory of an EXIF block (EXIF 2.3, 4.6.4 A), with or without
/// its "Exif\0\0" prefix. Any number may come back, 0 and 65535 included; nothing if the tag is not
/// there or the block is nonsense. Looks at that one directory only, so a loop cannot hold it.
[[nodiscard]] std::optional<std::uint32_t> exif_orientation(std::span<const std::byte> block);

/// The first tiff:Orientation of an XMP packet, as an attribute or an element, as Pillow finds it.
[[nodiscard]] std::optional<std::uint32_t> xmp_orientation(std::span<const std::byte> packet);

/// EXIF wins, XMP fills in, anything but 2…8 means "as it is" (1): Pillow's rule.
[[nodiscard]] int resolve_orientation(std::optional<std::uint32_t> exif,
                                      std::optional<std::uint32_t> xmp);

/// Turns and mirrors [height, width, 3] pixels upright; `orientation` 1…8. Swaps width and height
/// for 5…8.
void apply_orientation(int orientation, std::int64_t& width, std::int64_t& height,
                       Pixels& rgb);

}  // namespace nolens
