// JPEG: colour spaces, Pillow's CMYK, orientation; bombs; damage.
#include <algorithm>

#include "media/jpeg_writer.h"
#include "media/picture.h"

namespace nolens {
namespace {

/// Position of the first marker FF `code` in a file without thumbnails.
std::size_t marker_at(const Bytes& file, std::uint8_t code) {
  const Bytes marker{0xFF, code};
  const auto found = std::search(file.begin(), file.end(), marker.begin(), marker.end());
  EXPECT_NE(found, file.end());
  return static_cast<std::size_t>(found - file.begin());
}

void set_size(Bytes& file, std::uint8_t frame_marker, int width, int height) {
  const std::size_t at = marker_at(file, frame_marker);
  file[at + 5] = static_cast<std::uint8_t>(height >> 8);
  file[at + 6] = static_cast<std::uint8_t>(height);
  file[at + 7] = static_cast<std::uint8_t>(width >> 8);
  file[at + 8] = static_cast<std::uint8_t>(width);
}

Bytes exif_content(std::uint8_t orientation) {
  return {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42,          0, 8, 0, 0, 0, 1, 0,
          0x12, 1,   3,   0,   1, 0, 0,   0,   orientation, 0, 0, 0, 0, 0, 0, 0};
}

TEST(Jpeg, DecodesColourGreyAndStoredRgb) {
  for (const int sampling : {1, 2}) {
    for (const bool progressive : {false, true}) {
      const Picture rgb = gradient(50, 37, 3);
      const JpegOptions options{.quality = 98, .sampling = sampling, .progressive = progressive};
      EXPECT_LE(largest_difference(rgb_of(decode(write_jpeg(rgb, options))), rgb.samples), 12);
    }
  }
  const Picture rgb = gradient(50, 37, 3);
  const Image stored = decode(write_jpeg(rgb, {.colour = JpegColour::kRgb, .quality = 100}));
  EXPECT_LE(largest_difference(rgb_of(stored), rgb.samples), 2);

  const Picture grey = gradient(50, 37, 1);
  Bytes replicated;
  for (const std::uint8_t value : grey.samples) {
    replicated.insert(replicated.end(), 3, value);
  }
  const Image image = decode(write_jpeg(grey, {.colour = JpegColour::kGrey, .quality = 100}));
  EXPECT_LE(largest_difference(rgb_of(image), replicated), 2);
}

TEST(Jpeg, ConvertsInksAsPillowDoes) {
  // Inks as Adobe stores them: 255 = none. r = paper - c * paper / 255 for c = 255 - stored.
  const std::pair<Bytes, Bytes> cases[] = {
      {{255, 255, 255, 255}, {255, 255, 255}}, {{0, 255, 255, 255}, {0, 255, 255}},
      {{255, 0, 255, 255}, {255, 0, 255}},     {{255, 255, 0, 255}, {255, 255, 0}},
      {{255, 255, 255, 0}, {0, 0, 0}},         {{200, 100, 50, 128}, {100, 50, 25}}};
  for (const JpegColour colour : {JpegColour::kCmyk, JpegColour::kYcck}) {
    for (const auto& [inks, expected] : cases) {
      const Image image =
          decode(write_jpeg(solid(16, 16, inks), {.colour = colour, .quality = 100}));
      const Bytes found = rgb_of(image);
      EXPECT_LE(largest_difference(found, solid(16, 16, expected).samples), 2)
          << int{inks[0]} << " " << int{inks[1]} << " " << int{inks[2]} << " " << int{inks[3]};
    }
  }
}

TEST(Jpeg, AppliesTheOrientation) {
  Picture picture = solid(16, 8, {0, 0, 0});
  std::fill_n(picture.samples.begin(), 3 * 16 * 4, std::uint8_t{255});  // white above black
  for (const auto& [orientation, width, first, last] : {std::tuple{1, 16, 255, 0},
                                                        {3, 16, 0, 255},
                                                        {4, 16, 0, 255},
                                                        {6, 8, 0, 255},
                                                        {8, 8, 255, 0},
                                                        {0, 16, 255, 0},
                                                        {9, 16, 255, 0}}) {
    JpegOptions options;
    options.markers = {{1, exif_content(static_cast<std::uint8_t>(orientation))}};
    const Image image = decode(write_jpeg(picture, options));
    EXPECT_EQ(image.width(), width) << orientation;
    EXPECT_NEAR(image.rgb().front(), first, 3) << orientation;
    EXPECT_NEAR(image.rgb().back(), last, 3) << orientation;
  }
}

TEST(Jpeg, TakesTheOrientationFromXmpIfExifHasNone) {
  constexpr std::string_view kPacket{
      "http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation=\"6\"/>", 69};
  JpegOptions options;
  options.markers = {{1, Bytes(kPacket.begin(), kPacket.end())}};
  EXPECT_EQ(decode(write_jpeg(gradient(16, 8, 3), options)).width(), 8);
  options.markers.insert(options.markers.begin(), {1, exif_content(1)});
  EXPECT_EQ(decode(write_jpeg(gradient(16, 8, 3), options)).width(), 16);
}

TEST(Jpeg, IgnoresColourProfilesHoweverLongOrBroken) {
  const Picture picture = gradient(16, 16, 3);
  JpegOptions options;
  for (int i = 0; i < 200; ++i) {
    Bytes content(65'000, static_cast<std::uint8_t>(i));
    constexpr std::string_view kName{"ICC_PROFILE\0", 12};
    std::copy(kName.begin(), kName.end(), content.begin());
    options.markers.emplace_back(2, std::move(content));
  }
  EXPECT_EQ(rgb_of(decode(write_jpeg(picture, options))), rgb_of(decode(write_jpeg(picture))));
}

TEST(Jpeg, RefusesHugeSizesFromTheHeaderAlone) {
  Bytes file = write_jpeg(gradient(16, 16, 3));
  set_size(file, 0xC0, 65'500, 65'500);
  expect_refused(file, ErrorCode::kResource, "65500 x 65500");
  set_size(file, 0xC0, 65'500, 1000);
  expect_refused(file, ErrorCode::kResource, "65500 x 1000");
  set_size(file, 0xC0, 16, 65'500);
  expect_refused(file, ErrorCode::kResource, "no side may exceed 16384", {.max_side = 16'384});
}

TEST(Jpeg, RefusesAHeightThatComesLater) {
  Bytes file = write_jpeg(gradient(16, 16, 3));
  set_size(file, 0xC0, 16, 0);  // DNL: the number of lines follows the first scan
  const Bytes lines{0xFF, 0xDC, 0, 4, 0, 16};
  file.insert(file.end() - 2, lines.begin(), lines.end());
  expect_refused(file, ErrorCode::kInput, "without pixels");
}

TEST(Jpeg, RefusesASizeLargerThanItsData) {
  Bytes file = write_jpeg(gradient(16, 16, 3));
  set_size(file, 0xC0, 16, 64);
  expect_refused(file, ErrorCode::kInput, "corrupt");
}

TEST(Jpeg, CountsScans) {
  // 1 + 3 * 170 scans, all of them legal.
  const Picture picture = gradient(24, 24, 3);
  const Bytes file = write_jpeg(picture, {.progressive = true, .scans_per_component = 170});
  expect_refused(file, ErrorCode::kInput, "more scans than the limit of 500");
  EXPECT_EQ(decode(file, {.max_jpeg_scans = 511}).width(), 24);
  expect_refused(file, ErrorCode::kInput, "limit of 510", {.max_jpeg_scans = 510});
}

TEST(Jpeg, RefusesTenThousandScans) {
  Bytes file =
      write_jpeg(gradient(512, 512, 1), {.colour = JpegColour::kGrey, .scans_per_component = 63});
  const Bytes marker{0xFF, 0xDA};
  const auto last = std::find_end(file.begin(), file.end(), marker.begin(), marker.end());
  ASSERT_NE(last, file.end());
  const Bytes scan(last, file.end() - 2);
  file.resize(file.size() - 2);
  for (int i = 0; i < 10'000; ++i) {
    file.insert(file.end(), scan.begin(), scan.end());
  }
  file.insert(file.end(), {0xFF, 0xD9});
  EXPECT_TRUE(decode_error(file).has_value());
}

TEST(Jpeg, BoundsTheWorkOfManyScansOverManyPixels) {
  const Picture picture = solid(8000, 8000, {90});
  const Bytes file = write_jpeg(picture, {.colour = JpegColour::kGrey, .scans_per_component = 63});
  EXPECT_LT(file.size(), 1'000'000U);
  expect_refused(file, ErrorCode::kInput, "too many for its size");
}

TEST(Jpeg, SurvivesARestartMarkerFlood) {
  const Picture picture = gradient(64, 64, 1);
  const JpegOptions options{.colour = JpegColour::kGrey, .restart_interval = 1};
  Bytes file = write_jpeg(picture, options);
  EXPECT_EQ(rgb_of(decode(file)),
            rgb_of(decode(write_jpeg(picture, {.colour = JpegColour::kGrey}))));
  const std::size_t first = marker_at(file, 0xD0);
  Bytes flood;
  for (int i = 0; i < 100'000; ++i) {
    flood.insert(flood.end(), {0xFF, static_cast<std::uint8_t>(0xD0 + i % 8)});
  }
  file.insert(file.begin() + static_cast<std::ptrdiff_t>(first), flood.begin(), flood.end());
  EXPECT_TRUE(decode_error(file).has_value());
}

TEST(Jpeg, RefusesEveryCut) {
  expect_every_cut_refused(write_jpeg(gradient(64, 48, 3)));
  expect_every_cut_refused(write_jpeg(gradient(64, 48, 3), {.progressive = true}));
}

TEST(Jpeg, RefusesAPictureThatEndsEarlyButProperly) {
  // Half of the scan, then an end marker: libjpeg alone would paint the rest grey.
  Bytes file = write_jpeg(noise(64, 64, 3));
  const std::size_t scan = marker_at(file, 0xDA);
  file.resize(scan + (file.size() - scan) / 2);
  file.insert(file.end(), {0xFF, 0xD9});
  expect_refused(file, ErrorCode::kInput, "corrupt");
}

TEST(Jpeg, AnyFlippedBitIsDecodedOrRefusedInOurWords) {
  const Bytes file = write_jpeg(gradient(24, 16, 3), {.progressive = true});
  int refused = 0;
  for_each_flip(file, 3, [&](std::size_t /*bit*/, const std::optional<Error>& error) {
    refused += error.has_value() ? 1 : 0;
  });
  EXPECT_GT(refused, 100);
}

TEST(Jpeg, RefusesLosslessAndTwelveBitKinds) {
  Bytes lossless = write_jpeg(gradient(16, 16, 3));
  lossless[marker_at(lossless, 0xC0) + 1] = 0xC3;
  expect_refused(lossless, ErrorCode::kInput, "not supported");
  Bytes twelve_bit = write_jpeg(gradient(16, 16, 3));
  twelve_bit[marker_at(twelve_bit, 0xC0) + 4] = 12;
  expect_refused(twelve_bit, ErrorCode::kInput, "not supported");
}

}  // namespace
}  // namespace nolens
