// A reader for one tag, bounded by the block it is given, and the eight ways to hold a camera.
#include "media/exif.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/check.h"

namespace nolens {
namespace {

constexpr std::string_view kExifPrefix{"Exif\0\0", 6};
constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::size_t kEntrySize = 12;  // tag, type, count, value
enum FieldType : std::uint32_t { kByte = 1, kShort = 3, kLong = 4 };

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Numbers of a TIFF block in its byte order. The caller checks the bounds.
struct TiffNumbers {
  std::span<const std::byte> block;
  bool big_endian;

  [[nodiscard]] std::uint32_t read(std::size_t offset, std::size_t size) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t index = offset + (big_endian ? i : size - 1 - i);
      value = value << 8 | std::to_integer<std::uint32_t>(block[index]);
    }
    return value;
  }
};

std::optional<std::uint32_t> single_number(const TiffNumbers& numbers, std::size_t entry) {
  if (numbers.read(entry + 4, 4) != 1) {
    return std::nullopt;
  }
  switch (numbers.read(entry + 2, 2)) {
    case kByte: return numbers.read(entry + 8, 1);
    case kShort: return numbers.read(entry + 8, 2);
    case kLong: return numbers.read(entry + 8, 4);
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<std::uint32_t> exif_orientation(std::span<const std::byte> block) {
  while (as_text(block).substr(0, kExifPrefix.size()) == kExifPrefix) {
    block = block.subspan(kExifPrefix.size());
  }
  if (block.size() < 8) {
    return std::nullopt;
  }
  const std::string_view order = as_text(block).substr(0, 2);
  if (order != "II" && order != "MM") {
    return std::nullopt;
  }
  const TiffNumbers numbers{block, order == "MM"};
  const std::size_t directory = numbers.read(4, 4);
  if (directory > block.size() - 2) {
    return std::nullopt;
  }
  const std::size_t first = directory + 2;
  const std::size_t entries =
      std::min<std::size_t>(numbers.read(directory, 2), (block.size() - first) / kEntrySize);
  std::optional<std::uint32_t> result;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = first + i * kEntrySize;
    if (numbers.read(entry, 2) == kOrientationTag) {
      result = single_number(numbers, entry);
    }
  }
  return result;
}

std::optional<std::uint32_t> xmp_orientation(std::span<const std::byte> packet) {
  constexpr std::string_view kName = "tiff:Orientation";
  const std::string_view text = as_text(packet);
  for (std::size_t at = text.find(kName); at != std::string_view::npos;
       at = text.find(kName, at + kName.size())) {
    std::string_view rest = text.substr(at + kName.size());
    if (rest.substr(0, 2) == "=\"") {
      rest.remove_prefix(2);
    } else if (rest.substr(0, 1) == ">") {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      return static_cast<std::uint32_t>(rest[0] - '0');
    }
  }
  return std::nullopt;
}

int resolve_orientation(std::optional<std::uint32_t> exif, std::optional<std::uint32_t> xmp) {
  const std::uint32_t value = exif ? *exif : xmp.value_or(1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

void apply_orientation(int orientation, std::int64_t& width, std::int64_t& height,
                       Pixels& rgb) {
  NOLENS_CHECK(orientation >= 1 && orientation <= 8);
  if (orientation == 1) {
    return;
  }
  // Pixel (x, y) of the result is source pixel origin + x * right + y * down.
  const std::int64_t last_x = width - 1;
  const std::int64_t last_row = (height - 1) * width;
  struct Walk {
    std::int64_t origin, right, down;
  };
  const Walk walks[] = {
      {last_x, -1, width},              // 2 mirrored
      {last_row + last_x, -1, -width},  // 3 upside down
      {last_row, 1, -width},            // 4 upside down and mirrored
      {0, width, 1},                    // 5 mirrored along the falling diagonal
      {last_row, -width, 1},            // 6 to be turned right
      {last_row + last_x, -width, -1},  // 7 mirrored along the rising diagonal
      {last_x, width, -1},              // 8 to be turned left
  };
  const Walk walk = walks[orientation - 2];
  const std::int64_t new_width = orientation >= 5 ? height : width;
  const std::int64_t new_height = orientation >= 5 ? width : height;

  Pixels turned(rgb.size());
  constexpr std::int64_t kTile = 32;  // both pictures' lines of one tile stay in the L1 cache
  for (std::int64_t top = 0; top < new_height; top += kTile) {
    for (std::int64_t left = 0; left < new_width; left += kTile) {
      for (std::int64_t y = top; y < std::min(top + kTile, new_height); ++y) {
        for (std::int64_t x = left; x < std::min(left + kTile, new_width); ++x) {
          const std::int64_t source = walk.origin + x * walk.right + y * walk.down;
          std::copy_n(rgb.begin() + 3 * source, 3, turned.begin() + 3 * (y * new_width + x));
        }
      }
    }
  }
  rgb = std::move(turned);
  width = new_width;
  height = new_height;
}

}  // namespace nolens
