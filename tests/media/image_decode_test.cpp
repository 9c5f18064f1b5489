// Image::decode for all formats alike: what is refused, and in which words.
#include "media/jpeg_writer.h"
#include "media/picture.h"
#include "media/png_writer.h"
#include "media/webp_writer.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

Bytes text(std::string_view content) {
  return {content.begin(), content.end()};
}

TEST(ImageDecode, RefusesEmptyTinyAndRandomDataWithItsSize) {
  expect_refused({}, ErrorCode::kInput, "0 bytes");
  expect_refused(Bytes{0xFF}, ErrorCode::kInput, "1 bytes, beginning with '\\xff'");
  expect_refused(noise(100, 10, 1).samples, ErrorCode::kInput, "1000 bytes");
}

TEST(ImageDecode, RefusesBareHeaders) {
  expect_refused(Bytes{0xFF, 0xD8, 0xFF}, ErrorCode::kInput, "JPEG data ends");
  expect_refused(text(kPngSignature), ErrorCode::kInput, "PNG data ends");
  expect_refused(text(std::string_view("RIFF\x10\0\0\0WEBP", 12)), ErrorCode::kInput,
                 "WebP data ends");
}

TEST(ImageDecode, NamesOtherFormatsAndTheSupportedOnes) {
  expect_refused(text("GIF89a......"), ErrorCode::kInput, "this is a GIF picture; supported");
  expect_refused(text("%PDF-1.4"), ErrorCode::kInput, "JPEG, PNG and WebP");
  expect_refused(text("<svg></svg>"), ErrorCode::kInput, "SVG");
}

TEST(ImageDecode, ReadsAJpegThatIsAlsoAZipArchive) {
  const Picture picture = gradient(16, 16, 3);
  Bytes file = write_jpeg(picture);
  const Image plain = decode(file);
  const Bytes archive = text("PK\x03\x04 and so on");
  file.insert(file.end(), archive.begin(), archive.end());
  EXPECT_EQ(rgb_of(decode(file)), rgb_of(plain));
}

TEST(ImageDecode, EscapesTheNameInMessages) {
  try {
    Image::decode({}, "evil\x1B[2J\nname");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("evil\\x1b[2J\\x0aname: "));
  }
}

TEST(ImageDecode, KeepsWidthAndHeightApartInTinyPictures) {
  const std::pair<int, int> sizes[] = {{1, 1}, {2, 1}, {1, 3}, {3, 1}, {3, 3}, {1, 1000}};
  for (const auto& [width, height] : sizes) {
    const Picture picture = noise(width, height, 3);
    for (const Bytes& file :
         {write_png(width, height, picture.samples), write_webp(picture, true)}) {
      const Image image = decode(file);
      EXPECT_EQ(image.width(), width);
      EXPECT_EQ(image.height(), height);
      EXPECT_EQ(rgb_of(image), picture.samples);
    }
    const Image lossy = decode(write_jpeg(picture));
    EXPECT_EQ(lossy.width(), width);
    EXPECT_EQ(lossy.height(), height);
  }
}

TEST(ImageDecode, HonoursTheLimitsOfTheCaller) {
  const Picture picture = gradient(40, 30, 3);
  for (const Bytes& file :
       {write_png(40, 30, picture.samples), write_webp(picture, true), write_jpeg(picture)}) {
    EXPECT_EQ(decode(file, {.max_pixels = 1200, .max_side = 40}).width(), 40);
    expect_refused(file, ErrorCode::kResource, "40 x 30 pixels, more than the limit of 1199",
                   {.max_pixels = 1199});
    expect_refused(file, ErrorCode::kResource, "no side may exceed 39", {.max_side = 39});
  }
}

TEST(FromRgb8, TakesExactlyTheBytesOfThePicture) {
  EXPECT_EQ(rgb_of(Image::from_rgb8(2, 1, Bytes{1, 2, 3, 4, 5, 6})), (Bytes{1, 2, 3, 4, 5, 6}));
  const std::pair<std::int64_t, std::int64_t> wrong[] = {{1, 1},   {2, 2},  {0, 0},
                                                         {-2, -1}, {-1, 2}, {INT64_MAX, 2}};
  for (const auto& [width, height] : wrong) {
    try {
      Image::from_rgb8(width, height, Bytes(6));
      ADD_FAILURE() << width << "x" << height;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), HasSubstr("6 bytes were given"));
    }
  }
  EXPECT_THROW(Image::from_rgb8(0, 5, {}), Error);
}

TEST(ScaledFrom, TellsTheSizeBeforeAndKeepsThePixels) {
  const Image image = Image::from_rgb8(2, 1, Bytes{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(image.source_width(), 2);
  EXPECT_EQ(image.source_height(), 1);
  const Image scaled = image.scaled_from(4032, 3024);
  EXPECT_EQ(scaled.source_width(), 4032);
  EXPECT_EQ(scaled.source_height(), 3024);
  EXPECT_EQ(scaled.width(), 2);
  EXPECT_EQ(scaled.height(), 1);
  EXPECT_EQ(scaled.rgb().data(), image.rgb().data());
  EXPECT_EQ(image.source_width(), 2);
  EXPECT_THROW(image.scaled_from(0, 1), Error);
  EXPECT_THROW(image.scaled_from(1, -1), Error);
}

}  // namespace
}  // namespace nolens
