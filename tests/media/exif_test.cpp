// The orientation tag in well-formed, broken and hostile EXIF blocks; the eight transformations.
#include "media/exif.h"

#include "media/picture.h"

namespace nolens {
namespace {

/// An EXIF block with one directory entry after `before` others.
Bytes exif_block(bool big_endian, std::uint32_t value, std::uint32_t type = 3,
                 std::uint32_t count = 1, std::uint32_t tag = 0x0112, int before = 0) {
  Bytes block = big_endian ? Bytes{'M', 'M', 0, 42} : Bytes{'I', 'I', 42, 0};
  const auto append = [&](std::uint32_t number, int size) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (big_endian ? size - 1 - i : i);
      block.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  };
  append(8, 4);
  append(static_cast<std::uint32_t>(before) + 1, 2);
  for (int i = 0; i < before; ++i) {
    append(0x0100, 2), append(4, 2), append(1, 4), append(77, 4);
  }
  append(tag, 2);
  append(type, 2);
  append(count, 4);
  const int size = type == 1 ? 1 : type == 3 ? 2 : 4;
  append(value, size);
  append(0, 4 - size);
  append(0, 4);  // no next directory
  return block;
}

std::optional<std::uint32_t> orientation(const Bytes& block) {
  return exif_orientation(as_file(block));
}

std::optional<std::uint32_t> xmp(std::string_view packet) {
  return xmp_orientation(std::as_bytes(std::span(packet.data(), packet.size())));
}

TEST(ExifOrientation, IsReadInBothByteOrdersAndAllIntegerTypes) {
  for (const bool big_endian : {false, true}) {
    for (const std::uint32_t type : {1U, 3U, 4U}) {
      for (std::uint32_t value = 0; value <= 9; ++value) {
        EXPECT_EQ(orientation(exif_block(big_endian, value, type)), value);
      }
    }
    EXPECT_EQ(orientation(exif_block(big_endian, 65535)), 65535U);
    EXPECT_EQ(orientation(exif_block(big_endian, 6, 3, 1, 0x0112, 20)), 6U);
  }
}

TEST(ExifOrientation, MayCarryThePrefixOnceOrTwice) {
  const Bytes prefix{'E', 'x', 'i', 'f', 0, 0};
  Bytes block = exif_block(true, 8);
  for (int i = 0; i < 2; ++i) {
    block.insert(block.begin(), prefix.begin(), prefix.end());
    EXPECT_EQ(orientation(block), 8U);
  }
}

TEST(ExifOrientation, IsAbsentWhereTheTagIsMissingOrNoSingleInteger) {
  EXPECT_EQ(orientation(exif_block(true, 6, 3, 1, 0x0113)), std::nullopt);
  EXPECT_EQ(orientation(exif_block(true, 6, 3, 2)), std::nullopt);
  EXPECT_EQ(orientation(exif_block(true, 6, 3, 0)), std::nullopt);
  EXPECT_EQ(orientation(exif_block(true, 6, 5)), std::nullopt);
  EXPECT_EQ(orientation(exif_block(true, 6, 65535)), std::nullopt);
}

TEST(ExifOrientation, SurvivesCutsAndHugeCountsAndOffsets) {
  const Bytes block = exif_block(false, 6);
  for (std::size_t size = 0; size < block.size(); ++size) {
    const auto found = orientation({block.begin(), block.begin() + static_cast<int>(size)});
    EXPECT_EQ(found.has_value(), size >= 22) << size;  // the entry ends at byte 22
  }
  Bytes many = block;
  many[8] = many[9] = 0xFF;  // 65,535 entries
  EXPECT_EQ(orientation(many), 6U);
  for (const int high : {0x00, 0x7F, 0xFF}) {
    Bytes far = block;
    far[4] = far[5] = far[6] = 0xFF;
    far[7] = static_cast<std::uint8_t>(high);
    EXPECT_EQ(orientation(far), std::nullopt);
  }
  Bytes self = block;  // a directory that begins at the header, as loops do
  self[4] = 0;
  EXPECT_NO_THROW(orientation(self));
}

TEST(ExifOrientation, IgnoresNonsense) {
  EXPECT_EQ(orientation({}), std::nullopt);
  EXPECT_EQ(orientation(Bytes(4096, 0x00)), std::nullopt);
  EXPECT_EQ(orientation(Bytes(4096, 0xFF)), std::nullopt);
  const Picture random = noise(64, 64, 1);
  EXPECT_EQ(orientation(random.samples), std::nullopt);
}

TEST(XmpOrientation, IsReadFromAttributesAndElements) {
  EXPECT_EQ(xmp(R"(<rdf:Description tiff:Orientation="6" x="y">)"), 6U);
  EXPECT_EQ(xmp("<tiff:Orientation>3</tiff:Orientation>"), 3U);
  EXPECT_EQ(xmp("tiff:Orientation and later <tiff:Orientation>8<"), 8U);
  EXPECT_EQ(xmp("tiff:Orientation=\""), std::nullopt);
  EXPECT_EQ(xmp("tiff:Orientation='6'"), std::nullopt);
  EXPECT_EQ(xmp("tiff:Orientation"), std::nullopt);
  EXPECT_EQ(xmp(""), std::nullopt);
}

TEST(ResolveOrientation, PrefersExifAndTakesNonsenseForUpright) {
  EXPECT_EQ(resolve_orientation(6, 3), 6);
  EXPECT_EQ(resolve_orientation(std::nullopt, 3), 3);
  EXPECT_EQ(resolve_orientation(0, 3), 1);
  EXPECT_EQ(resolve_orientation(9, std::nullopt), 1);
  EXPECT_EQ(resolve_orientation(65535, std::nullopt), 1);
  EXPECT_EQ(resolve_orientation(std::nullopt, std::nullopt), 1);
}

TEST(ApplyOrientation, TurnsEachOfTheEightUpright) {
  // The upright picture, 3x2:  a b c
  //                            d e f
  const std::string_view stored[] = {
      "abc/def",   // 1
      "cba/fed",   // 2 mirrored
      "fed/cba",   // 3 upside down
      "def/abc",   // 4 mirrored upside down
      "ad/be/cf",  // 5 mirrored, lying
      "cf/be/ad",  // 6 lying on its left side
      "fc/eb/da",  // 7 mirrored, lying
      "da/eb/fc",  // 8 lying on its right side
  };
  for (int value = 1; value <= 8; ++value) {
    const std::string_view rows = stored[value - 1];
    std::int64_t width = static_cast<std::int64_t>(rows.find('/'));
    std::int64_t height = 6 / width;
    Pixels rgb;
    for (const char letter : rows) {
      if (letter != '/') {
        rgb.insert(rgb.end(), {static_cast<std::uint8_t>(letter), 1, 2});
      }
    }
    apply_orientation(value, width, height, rgb);
    EXPECT_EQ(width, 3);
    EXPECT_EQ(height, 2);
    std::string upright;
    for (std::size_t i = 0; i < rgb.size(); i += 3) {
      upright += static_cast<char>(rgb[i]);
      EXPECT_EQ(rgb[i + 1], 1);
      EXPECT_EQ(rgb[i + 2], 2);
    }
    EXPECT_EQ(upright, "abcdef") << "orientation " << value;
  }
}

TEST(ApplyOrientation, WorksAcrossTileBorders) {
  std::int64_t width = 70;
  std::int64_t height = 45;
  const Bytes samples = noise(70, 45, 3).samples;
  const Pixels original(samples.begin(), samples.end());
  for (const auto& [turn, back] : {std::pair{6, 8}, {5, 5}, {7, 7}, {3, 3}, {2, 2}, {4, 4}}) {
    Pixels rgb = original;
    apply_orientation(turn, width, height, rgb);
    EXPECT_NE(rgb, original);
    apply_orientation(back, width, height, rgb);
    EXPECT_EQ(rgb, original);
    EXPECT_EQ(width, 70);
  }
}

}  // namespace
}  // namespace nolens
