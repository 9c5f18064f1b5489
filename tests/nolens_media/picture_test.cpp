// BMP and GIF as pictures.
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int> pixel(const Image& image, std::int64_t x, std::int64_t y) {
  const auto at = static_cast<std::size_t>((y * image.width() + x) * 3);
  return {image.rgb()[at], image.rgb()[at + 1], image.rgb()[at + 2]};
}

void put_le(std::string& text, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i) & 255);
  }
}

/// A BMP of 24 or 32 bits a pixel, bottom row first.
std::string bmp(std::uint32_t width, std::uint32_t height, std::uint16_t bits,
                const std::string& pixels) {
  std::string file = "BM";
  put_le(file, static_cast<std::uint32_t>(54 + pixels.size()), 4);
  put_le(file, 0, 4);
  put_le(file, 54, 4);
  put_le(file, 40, 4);
  put_le(file, width, 4);
  put_le(file, height, 4);
  put_le(file, 1, 2);
  put_le(file, bits, 2);
  for (int i = 0; i < 6; ++i) {
    put_le(file, 0, 4);
  }
  return file + pixels;
}

TEST(Bmp, IsReadExactly) {
  const Image image = picture(media_file("one.bmp"));
  ASSERT_EQ(image.width(), 48);
  ASSERT_EQ(image.height(), 32);
  EXPECT_THAT(pixel(image, 0, 0), ElementsAre(255, 255, 255));
  EXPECT_THAT(pixel(image, 23, 15), ElementsAre(255, 255, 255));
  EXPECT_THAT(pixel(image, 24, 15), ElementsAre(30, 200, 80));
  EXPECT_THAT(pixel(image, 47, 31), ElementsAre(30, 200, 80));
}

TEST(Bmp, HasItsRowsPaddedAndItsFirstRowLast) {
  // 3 x 2 pixels in blue, green, red; rows of 9 bytes are padded to 12.
  const std::string pixels(
      "\1\2\3\4\5\6\7\10\11\0\0\0"
      "\21\22\23\24\25\26\27\30\31\0\0\0",
      24);
  const Image image = picture(bmp(3, 2, 24, pixels));
  ASSERT_EQ(image.width(), 3);
  ASSERT_EQ(image.height(), 2);
  EXPECT_THAT(pixel(image, 0, 0), ElementsAre(19, 18, 17));
  EXPECT_THAT(pixel(image, 2, 1), ElementsAre(9, 8, 7));
}

TEST(Bmp, OfEverySizeIsRead) {
  for (const std::uint32_t width : {1U, 2U, 5U, 17U, 100U}) {
    const std::uint32_t stride = (width * 3 + 3) / 4 * 4;
    std::string pixels(std::size_t{stride} * 3, '\0');
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<char>(i * 7 % 251);
    }
    const Image image = picture(bmp(width, 3, 24, pixels));
    ASSERT_EQ(image.width(), width);
    const std::size_t last = std::size_t{3} * (width - 1);
    EXPECT_THAT(
        pixel(image, width - 1, 2),
        ElementsAre(last * 7 % 251 + 14 - ((last + 2) * 7 % 251 < (last * 7 % 251) ? 251 : 0),
                    (last + 1) * 7 % 251, last * 7 % 251))
        << width;
  }
}

TEST(Bmp, IsCheckedAgainstTheLimitsOfPictures) {
  MediaOptions options = media_options();
  options.image.max_pixels = 48 * 32;
  options.image.max_side = 48;
  EXPECT_EQ(picture(media_file("one.bmp"), options).width(), 48);
  options.image.max_side = 47;
  EXPECT_THAT(
      media_error(ErrorCode::kResource, [&] { picture(media_file("one.bmp"), options); }),
      HasSubstr("a picture in the file has 48 x 32 pixels, too large: no side may exceed 47"));
  options.image.max_side = 48;
  options.image.max_pixels = 48 * 32 - 1;
  EXPECT_THAT(media_error(ErrorCode::kResource, [&] { picture(media_file("one.bmp"), options); }),
              HasSubstr("there may be 1535 pixels"));
  EXPECT_THAT(
      media_error(ErrorCode::kResource,
                  [] { picture(bmp(60'000, 60'000, 24, std::string(100, 'x')), media_options()); }),
      HasSubstr("60000 x 60000 pixels, too large"));
}

TEST(Gif, GivesItsFirstFrame) {
  const Image image = picture(media_file("seven.gif"));
  ASSERT_EQ(image.width(), 48);
  EXPECT_THAT(pixel(image, 2, 2), ElementsAre(255, 255, 255));
  EXPECT_THAT(pixel(image, 40, 28), ElementsAre(30, 200, 80));
}

TEST(DecodeImage, LeavesJpegPngAndWebpToTheLibrary) {
  MediaOptions options;
  options.program = "/nonexistent";
  const auto file =
      std::filesystem::path(NOLENS_SOURCE_DIR) / "models/nolens-tiny/samples/blue-circle.png";
  std::ifstream stream(file, std::ios::binary);
  const std::string png{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_GT(picture(png, options).width(), 0);
}

}  // namespace
}  // namespace nolens
