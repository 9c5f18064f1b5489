// PNG: every colour type and depth, exactly; limits; damage.
#include <algorithm>

#include "media/picture.h"
#include "media/png_writer.h"

namespace nolens {
namespace {

/// What the decoder must give for `samples`, by the rules of the format and of Pillow.
Bytes expected_rgb(const Bytes& samples, const PngOptions& options) {
  const auto eight_bit = [&](unsigned value) {
    return static_cast<std::uint8_t>(options.depth < 8 ? value * 255 / ((1U << options.depth) - 1)
                                                       : value);
  };
  Bytes values;  // one entry per sample: the high byte of 16-bit ones
  for (std::size_t i = 0; i < samples.size(); i += options.depth == 16 ? 2 : 1) {
    values.push_back(samples[i]);
  }
  Bytes rgb;
  const auto add = [&](std::uint8_t r, std::uint8_t g, std::uint8_t b) {
    rgb.insert(rgb.end(), {r, g, b});
  };
  for (std::size_t i = 0; i < values.size();) {
    switch (options.colour) {
      case kGrey:
        add(eight_bit(values[i]), eight_bit(values[i]), eight_bit(values[i])), i += 1;
        break;
      case kGreyAlpha: add(values[i], values[i], values[i]), i += 2; break;
      case kRgb: add(values[i], values[i + 1], values[i + 2]), i += 3; break;
      case kRgba: add(values[i], values[i + 1], values[i + 2]), i += 4; break;
      case kPalette: {
        const std::size_t at = 3U * values[i];
        add(options.palette[at], options.palette[at + 1], options.palette[at + 2]), i += 1;
        break;
      }
    }
  }
  return rgb;
}

TEST(Png, DecodesEveryColourTypeDepthAndInterlacingExactly) {
  struct Kind {
    PngColour colour;
    int depth;
    int entries;
  };
  const Kind kinds[] = {{kGrey, 1, 1},    {kGrey, 2, 1},    {kGrey, 4, 1},      {kGrey, 8, 1},
                        {kRgb, 8, 3},     {kRgb, 16, 6},    {kPalette, 1, 1},   {kPalette, 2, 1},
                        {kPalette, 4, 1}, {kPalette, 8, 1}, {kGreyAlpha, 8, 2}, {kGreyAlpha, 16, 4},
                        {kRgba, 8, 4},    {kRgba, 16, 8}};
  for (const Kind& kind : kinds) {
    for (const bool interlaced : {false, true}) {
      for (const auto& [width, height] : {std::pair{13, 11}, {1, 1}, {3, 2}, {5, 9}}) {
        Bytes samples = noise(width, height, kind.entries).samples;
        if (kind.depth < 8) {
          for (std::uint8_t& sample : samples) {
            sample = static_cast<std::uint8_t>(sample >> (8 - kind.depth));
          }
        }
        PngOptions options{.colour = kind.colour, .depth = kind.depth, .interlaced = interlaced};
        if (kind.colour == kPalette) {
          options.palette = noise(1 << kind.depth, 1, 3).samples;
        }
        const Image image = decode(write_png(width, height, samples, options));
        EXPECT_EQ(image.width(), width);
        EXPECT_EQ(image.height(), height);
        EXPECT_EQ(rgb_of(image), expected_rgb(samples, options))
            << "colour type " << int{kind.colour} << ", depth " << kind.depth << ", interlaced "
            << interlaced << ", " << width << "x" << height;
      }
    }
  }
}

TEST(Png, ClipsSixteenBitGreyAsTheReferenceLoaderDoes) {
  const Bytes samples{0, 0, 0, 1, 0, 255, 1, 0, 1, 1, 255, 255};
  const PngOptions options{.colour = kGrey, .depth = 16};
  EXPECT_EQ(rgb_of(decode(write_png(6, 1, samples, options))),
            (Bytes{0, 0, 0, 1, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}));
}

TEST(Png, DropsAlphaOrPutsItOnWhite) {
  const Bytes rgba{10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128};
  const Bytes file = write_png(3, 1, rgba, {.colour = kRgba});
  EXPECT_EQ(rgb_of(decode(file)), (Bytes{10, 20, 30, 10, 20, 30, 0, 100, 255}));
  EXPECT_EQ(rgb_of(decode(file, {}, AlphaMode::kWhite)),
            (Bytes{255, 255, 255, 10, 20, 30, 127, 177, 255}));
}

TEST(Png, HonoursATransparentColourOnWhiteOnly) {
  const Bytes grey = write_png(2, 1, {7, 8}, {.colour = kGrey, .transparency = {0, 7}});
  EXPECT_EQ(rgb_of(decode(grey)), (Bytes{7, 7, 7, 8, 8, 8}));
  EXPECT_EQ(rgb_of(decode(grey, {}, AlphaMode::kWhite)), (Bytes{255, 255, 255, 8, 8, 8}));

  const Bytes rgb = write_png(2, 1, {1, 2, 3, 1, 2, 4}, {.transparency = {0, 1, 0, 2, 0, 3}});
  EXPECT_EQ(rgb_of(decode(rgb)), (Bytes{1, 2, 3, 1, 2, 4}));
  EXPECT_EQ(rgb_of(decode(rgb, {}, AlphaMode::kWhite)), (Bytes{255, 255, 255, 1, 2, 4}));

  const Bytes palette = write_png(
      2, 1, {0, 1}, {.colour = kPalette, .palette = {1, 2, 3, 4, 5, 6}, .transparency = {0}});
  EXPECT_EQ(rgb_of(decode(palette)), (Bytes{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rgb_of(decode(palette, {}, AlphaMode::kWhite)), (Bytes{255, 255, 255, 4, 5, 6}));

  const Bytes deep =
      write_png(2, 1, {0, 7, 0, 8}, {.colour = kGrey, .depth = 16, .transparency = {0, 7}});
  EXPECT_EQ(rgb_of(decode(deep, {}, AlphaMode::kWhite)), (Bytes{255, 255, 255, 8, 8, 8}));
}

TEST(Png, WithoutAlphaIsTheSameOnWhite) {
  const Picture picture = noise(9, 7, 3);
  EXPECT_EQ(rgb_of(decode(write_png(9, 7, picture.samples), {}, AlphaMode::kWhite)),
            picture.samples);
}

TEST(Png, AppliesTheOrientationOfItsExifChunkBeforeOrAfterThePixels) {
  const Bytes exif{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0,
                   3,   0,   0, 0,  1, 0, 6, 0, 0, 0, 0, 0,  0};
  const Bytes stored{1, 1, 1, 2, 2, 2};  // one column: 1 above 2
  PngOptions before;
  before.before_pixels = png_chunk("eXIf", exif);
  PngOptions after;
  after.after_pixels = png_chunk("eXIf", exif);
  for (const PngOptions& options : {before, after}) {
    const Image image = decode(write_png(1, 2, stored, options));
    EXPECT_EQ(image.width(), 2);
    EXPECT_EQ(rgb_of(image), (Bytes{2, 2, 2, 1, 1, 1}));
  }
}

TEST(Png, AppliesTheOrientationOfPlainXmp) {
  Bytes text;
  append_text(text, std::string_view("XML:com.adobe.xmp\0\0\0\0\0", 22));
  append_text(text, "<x tiff:Orientation=\"3\"/>");
  PngOptions options;
  options.before_pixels = png_chunk("iTXt", text);
  EXPECT_EQ(rgb_of(decode(write_png(2, 1, {1, 1, 1, 2, 2, 2}, options))),
            (Bytes{2, 2, 2, 1, 1, 1}));
}

TEST(Png, ShowsTheDefaultPictureOfAnAnimation) {
  const Picture picture = noise(4, 4, 3);
  PngOptions options;
  Bytes control;
  append_u32(control, 10'000);  // frames
  append_u32(control, 0);
  options.before_pixels = png_chunk("acTL", control);
  Bytes frame;
  for (const std::uint32_t number : {1U, 60'000U, 60'000U, 9U, 9U}) {  // beyond the canvas
    append_u32(frame, number);
  }
  frame.insert(frame.end(), {0, 1, 0, 1, 0, 0});
  const Bytes frame_chunk = png_chunk("fcTL", frame);
  const Bytes data_chunk = png_chunk("fdAT", Bytes(50, 0xAA));
  options.after_pixels = frame_chunk;
  options.after_pixels.insert(options.after_pixels.end(), data_chunk.begin(), data_chunk.end());
  EXPECT_EQ(rgb_of(decode(write_png(4, 4, picture.samples, options))), picture.samples);
}

TEST(Png, RefusesHugeSizesFromTheHeaderAlone) {
  const std::pair<std::uint32_t, std::uint32_t> sizes[] = {
      {65500, 65500}, {100'000, 1}, {1, 100'000}, {0x7FFFFFFF, 0x7FFFFFFF}, {0xFFFFFFFF, 1}};
  for (const auto& [width, height] : sizes) {
    Bytes file;
    append_text(file, kPngSignature);
    const Bytes header = png_header(width, height, kGrey, 1);
    file.insert(file.end(), header.begin(), header.end());
    expect_refused(file, ErrorCode::kResource, std::to_string(width) + " x ");
  }
}

TEST(Png, RefusesEmptyPictures) {
  Bytes file;
  append_text(file, kPngSignature);
  const Bytes header = png_header(0, 5, kRgb, 8);
  file.insert(file.end(), header.begin(), header.end());
  expect_refused(file, ErrorCode::kInput, "without pixels");
}

TEST(Png, SkipsColourProfilesAndTextsWithoutExpandingThem) {
  const Picture picture = noise(8, 8, 3);
  const Bytes bomb = zlib_compress(Bytes(64 << 20, 0));  // 64 KB that grow to 64 MB
  PngOptions options;
  for (const std::string_view type : {"iCCP", "zTXt", "iTXt", "sPLT"}) {
    Bytes data;
    append_text(data, std::string_view("name\0\0", 6));
    data.insert(data.end(), bomb.begin(), bomb.end());
    for (int i = 0; i < 3; ++i) {
      const Bytes chunk = png_chunk(type, data);
      options.before_pixels.insert(options.before_pixels.end(), chunk.begin(), chunk.end());
    }
  }
  for (int i = 0; i < 20'000; ++i) {  // more chunks than a cache of them would take
    const Bytes chunk = png_chunk("tEXt", {'a', 0, 'b'});
    options.before_pixels.insert(options.before_pixels.end(), chunk.begin(), chunk.end());
  }
  EXPECT_EQ(rgb_of(decode(write_png(8, 8, picture.samples, options))), picture.samples);
}

TEST(Png, RefusesABrokenProfileChecksum) {
  PngOptions options;
  options.before_pixels = png_chunk("iCCP", Bytes(100, 1));
  options.before_pixels.back() ^= 1;
  expect_refused(write_png(2, 2, noise(2, 2, 3).samples, options), ErrorCode::kInput, "corrupt");
}

TEST(Png, RefusesEveryCut) {
  const Picture picture = noise(20, 20, 3);
  expect_every_cut_refused(write_png(20, 20, picture.samples));
  expect_every_cut_refused(write_png(20, 20, picture.samples, {.interlaced = true}));
}

TEST(Png, RefusesEveryFlippedBit) {
  const Bytes file = write_png(6, 5, noise(6, 5, 3).samples);
  for_each_flip(file, 1, [](std::size_t bit, const std::optional<Error>& error) {
    EXPECT_TRUE(error.has_value()) << "bit " << bit;
  });
}

TEST(Png, RefusesTooFewRowsInAnIntactChunk) {
  Bytes file;
  append_text(file, kPngSignature);
  for (const Bytes& chunk : {png_header(4, 4, kGrey, 8),
                             png_chunk("IDAT", zlib_compress(Bytes(10))), png_chunk("IEND", {})}) {
    file.insert(file.end(), chunk.begin(), chunk.end());
  }
  expect_refused(file, ErrorCode::kInput, "corrupt");
}

}  // namespace
}  // namespace nolens
