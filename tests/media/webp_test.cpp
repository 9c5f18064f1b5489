// WebP: lossless exactly, lossy nearly; containers, animations, damage.
#include "media/picture.h"
#include "media/webp_writer.h"

namespace nolens {
namespace {

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes result;
  for (const Bytes& part : parts) {
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

TEST(Webp, DecodesLosslessExactlyAndLossyNearly) {
  const Picture picture = noise(33, 21, 3);
  EXPECT_EQ(rgb_of(decode(write_webp(picture, true))), picture.samples);
  const Picture smooth = solid(33, 21, {90, 120, 60});
  const Image lossy = decode(write_webp(smooth, false));
  EXPECT_EQ(lossy.width(), 33);
  EXPECT_LE(largest_difference(rgb_of(lossy), smooth.samples), 4);
}

TEST(Webp, DropsAlphaOrPutsItOnWhite) {
  const Picture picture{3, 1, 4, {10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128}};
  const Bytes file = write_webp(picture, true);
  EXPECT_EQ(rgb_of(decode(file)), (Bytes{10, 20, 30, 10, 20, 30, 0, 100, 255}));
  EXPECT_EQ(rgb_of(decode(file, {}, AlphaMode::kWhite)),
            (Bytes{255, 255, 255, 10, 20, 30, 127, 177, 255}));
  const Picture transparent = solid(16, 16, {200, 100, 50, 0});
  EXPECT_EQ(rgb_of(decode(write_webp(transparent, false), {}, AlphaMode::kWhite)),
            Bytes(16 * 16 * 3, 255));
}

TEST(Webp, AppliesTheOrientationOfExifAndXmp) {
  const Picture picture = noise(5, 3, 3);
  const Bytes pixels = chunks_of(write_webp(picture, true));
  const Bytes exif{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0,
                   3,   0,   0, 0,  1, 0, 8, 0, 0, 0, 0, 0,  0};
  constexpr std::string_view kPacket = "<x tiff:Orientation=\"8\"/>";
  const Bytes xmp(kPacket.begin(), kPacket.end());
  for (const Bytes& file : {riff_file(join({vp8x(0x08, 5, 3), pixels, riff_chunk("EXIF", exif)})),
                            riff_file(join({vp8x(0x04, 5, 3), pixels, riff_chunk("XMP ", xmp)}))}) {
    const Image image = decode(file);
    EXPECT_EQ(image.width(), 3);
    EXPECT_EQ(image.height(), 5);
    // The upper right pixel becomes the upper left one.
    EXPECT_TRUE(
        std::equal(image.rgb().begin(), image.rgb().begin() + 3, picture.samples.begin() + 3 * 4));
  }
}

TEST(Webp, ShowsTheFirstFrameOfAnAnimationOnItsCanvas) {
  const Bytes background(6, 0);
  const Picture first = solid(2, 2, {200, 100, 50, 255});
  Bytes frames = anmf(first, 2, 0);
  const Bytes second = anmf(solid(4, 2, {1, 2, 3, 255}), 0, 0);
  for (int i = 0; i < 10'000; ++i) {
    frames.insert(frames.end(), second.begin(), second.end());
  }
  const Bytes file =
      riff_file(join({vp8x(0x02 | 0x10, 4, 2), riff_chunk("ANIM", background), frames}));
  const Bytes row{0, 0, 0, 0, 0, 0, 200, 100, 50, 200, 100, 50};
  EXPECT_EQ(rgb_of(decode(file)), join({row, row}));
  const Bytes white{255, 255, 255, 255, 255, 255, 200, 100, 50, 200, 100, 50};
  EXPECT_EQ(rgb_of(decode(file, {}, AlphaMode::kWhite)), join({white, white}));
}

TEST(Webp, RefusesAFrameOutsideOfItsCanvas) {
  const Bytes background(6, 0);
  for (const auto& [x, y] : {std::pair{4, 0}, {0, 2}, {1 << 20, 1 << 20}}) {
    const Bytes file = riff_file(join({vp8x(0x02, 4, 2), riff_chunk("ANIM", background),
                                       anmf(solid(2, 2, {200, 100, 50}), x, y)}));
    expect_refused(file, ErrorCode::kInput, "WebP data");
  }
}

TEST(Webp, RefusesAnAnimationWithoutFrames) {
  const Bytes file = riff_file(join({vp8x(0x02, 4, 2), riff_chunk("ANIM", Bytes(6, 0))}));
  EXPECT_TRUE(decode_error(file).has_value());
}

TEST(Webp, RefusesACanvasBeyondTheLimits) {
  const Bytes file = riff_file(join({vp8x(0x02, 16'383, 16'383), riff_chunk("ANIM", Bytes(6, 0)),
                                     anmf(solid(2, 2, {200, 100, 50}), 0, 0)}));
  expect_refused(file, ErrorCode::kResource, "16383 x 16383");
}

TEST(Webp, RefusesAnAlphaPlaneOfAnotherSize) {
  // The alpha plane of a 64x64 picture in front of the colours of a 16x16 one.
  const Bytes large = write_webp(solid(64, 64, {200, 100, 50, 7}), false);
  const Bytes small = write_webp(solid(16, 16, {200, 100, 50}), false);
  const std::string_view text(reinterpret_cast<const char*>(large.data()), large.size());
  const std::size_t alpha = text.find("ALPH");
  const std::size_t colours = text.find("VP8 ");
  ASSERT_NE(alpha, std::string_view::npos);
  ASSERT_LT(alpha, colours);
  const Bytes plane(large.begin() + static_cast<std::ptrdiff_t>(alpha),
                    large.begin() + static_cast<std::ptrdiff_t>(colours));
  const Bytes file = riff_file(join({vp8x(0x10, 64, 64), plane, chunks_of(small)}));
  expect_refused(file, ErrorCode::kInput, "WebP data");
}

TEST(Webp, RefusesEveryCut) {
  expect_every_cut_refused(write_webp(noise(24, 16, 3), true));
  expect_every_cut_refused(write_webp(noise(24, 16, 4), false));
  const Bytes animation = riff_file(
      join({vp8x(0x02, 4, 2), riff_chunk("ANIM", Bytes(6, 0)),
            anmf(solid(4, 2, {200, 100, 50}), 0, 0), anmf(solid(4, 2, {1, 2, 3}), 0, 0)}));
  expect_every_cut_refused(animation);
}

TEST(Webp, AnyFlippedBitIsDecodedOrRefusedInOurWords) {
  for (const Bytes& file :
       {write_webp(gradient(24, 16, 4), true), write_webp(gradient(24, 16, 4), false)}) {
    int refused = 0;
    for_each_flip(file, 1, [&](std::size_t /*bit*/, const std::optional<Error>& error) {
      refused += error.has_value() ? 1 : 0;
    });
    EXPECT_GT(refused, 20);
  }
}

}  // namespace
}  // namespace nolens
