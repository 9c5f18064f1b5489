// Clips: which frames come back, in which colours, which way up, with which times.
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

struct Colour {
  int red;
  int green;
  int blue;
};

void expect_colour(const Image& image, std::int64_t x, std::int64_t y, Colour expected,
                   int tolerance, const std::string& where) {
  const auto at = static_cast<std::size_t>((y * image.width() + x) * 3);
  EXPECT_NEAR(image.rgb()[at], expected.red, tolerance) << where;
  EXPECT_NEAR(image.rgb()[at + 1], expected.green, tolerance) << where;
  EXPECT_NEAR(image.rgb()[at + 2], expected.blue, tolerance) << where;
}

/// Colours as tests/reference/make_media_files.sh paints them.
Colour of_seven(int frame) {
  return {30 + 30 * frame, 200 - 20 * frame, 80};
}
Colour of_forty(int frame) {
  return {5 * frame, 100, 250 - 5 * frame};
}
constexpr Colour kWhite{255, 255, 255};

TEST(DecodeVideo, EveryCodingGivesTheColours) {
  struct Case {
    const char* file;
    int tolerance;
  };
  // H.264, HEVC and VP9 at a quality where only rounding is left, MPEG-4 and AV1 coarser, VP8 in
  // the colours of BT.601; GIF has them in its palette.
  const Case cases[] = {{"seven.mp4", 3}, {"seven.mkv", 3}, {"seven.webm", 3}, {"hevc.mp4", 3},
                        {"mjpeg.mov", 3}, {"both.mp4", 3},  {"seven.gif", 1},  {"av1.mp4", 8},
                        {"vp8.webm", 8},  {"mpeg4.mp4", 8}};
  for (const Case& c : cases) {
    const Video video = clip(media_file(c.file), 7);
    ASSERT_EQ(video.frames.size(), 7U) << c.file;
    EXPECT_EQ(video.source_frames, 7) << c.file;
    EXPECT_DOUBLE_EQ(video.source_fps, 10.0) << c.file;
    for (int i = 0; i < 7; ++i) {
      const VideoFrame& frame = video.frames[static_cast<std::size_t>(i)];
      const std::string where = std::string(c.file) + ", frame " + std::to_string(i);
      EXPECT_DOUBLE_EQ(frame.seconds, i / 10.0) << where;
      expect_colour(frame.image, frame.image.width() - 4, frame.image.height() - 4, of_seven(i),
                    c.tolerance, where);
      expect_colour(frame.image, 6, 6, kWhite, c.tolerance, where);
    }
  }
}

TEST(DecodeVideo, TakesFramesAtEqualDistances) {
  const std::string file = media_file("forty.mp4");
  for (const int wanted : {1, 2, 7, 32, 39, 40, 41, 1000}) {
    const Video video = clip(file, wanted);
    const int expected = std::min(wanted, 40);
    ASSERT_EQ(video.frames.size(), static_cast<std::size_t>(expected)) << wanted;
    EXPECT_EQ(video.source_frames, 40);
    for (int i = 0; i < expected; ++i) {
      const int index = wanted >= 40 ? i : i * 40 / wanted;
      const VideoFrame& frame = video.frames[static_cast<std::size_t>(i)];
      EXPECT_DOUBLE_EQ(frame.seconds, index / 20.0) << wanted;
      expect_colour(frame.image, 40, 28, of_forty(index), 3, std::to_string(index));
    }
  }
}

TEST(DecodeVideo, FramesHiddenByAnEditListDoNotCount) {
  const Video video = clip(media_file("edited.mp4"), 3);
  EXPECT_EQ(video.source_frames, 30);
  ASSERT_EQ(video.frames.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    const VideoFrame& frame = video.frames[static_cast<std::size_t>(i)];
    expect_colour(frame.image, 40, 28, of_forty(10 + 10 * i), 3, std::to_string(i));
    EXPECT_DOUBLE_EQ(frame.seconds, i * 0.5);
  }
}

TEST(DecodeVideo, TurnsFramesUpright) {
  // The track says: turn by 90 degrees, so that the white corner goes from the left to the right or
  // to the bottom; the program ffmpeg, which applies the matrix too, puts it into the lower left.
  const Video video = clip(media_file("turned.mp4"), 1);
  const Image& image = video.frames[0].image;
  ASSERT_EQ(image.width(), 32);
  ASSERT_EQ(image.height(), 48);
  expect_colour(image, 6, 42, kWhite, 3, "lower left");
  for (const auto& [x, y] : {std::pair{6, 6}, {26, 6}, {26, 42}}) {
    expect_colour(image, x, y, of_seven(0), 3, std::to_string(x) + "," + std::to_string(y));
  }
}

TEST(DecodeVideo, EveryDisplayMatrixPutsTheCornerInItsPlace) {
  std::string file = media_file("seven.mp4");
  // The matrix of the track header, 36 bytes: that of no turn, which occurs in the movie header
  // before.
  std::string upright(36, '\0');
  upright[1] = 1;
  upright[17] = 1;
  upright[32] = 0x40;
  const std::size_t track = file.find(upright, file.find("tkhd"));
  ASSERT_NE(track, std::string::npos);
  struct Case {
    int a, b, c, d;
    bool right, bottom;  // where the white corner goes
  };
  const Case cases[] = {{1, 0, 0, 1, false, false}, {-1, 0, 0, 1, true, false},
                        {1, 0, 0, -1, false, true}, {-1, 0, 0, -1, true, true},
                        {0, 1, 1, 0, false, false}, {0, 1, -1, 0, true, false},
                        {0, -1, 1, 0, false, true}, {0, -1, -1, 0, true, true}};
  for (const Case& c : cases) {
    const auto put = [&](std::size_t index, int value) {
      const std::uint32_t fixed = static_cast<std::uint32_t>(value) << 16;
      for (std::size_t i = 0; i < 4; ++i) {
        file[track + 4 * index + i] = static_cast<char>(fixed >> (24 - 8 * i) & 255);
      }
    };
    put(0, c.a);
    put(1, c.b);
    put(3, c.c);
    put(4, c.d);
    const Image image = clip(file, 1).frames[0].image;
    const bool turned = c.a == 0;
    const std::string where = std::to_string(c.a) + " " + std::to_string(c.b) + " " +
                              std::to_string(c.c) + " " + std::to_string(c.d);
    ASSERT_EQ(image.width(), turned ? 32 : 48) << where;
    const std::int64_t left = 6;
    const std::int64_t right = image.width() - 7;
    const std::int64_t top = 6;
    const std::int64_t bottom = image.height() - 7;
    expect_colour(image, c.right ? right : left, c.bottom ? bottom : top, kWhite, 3, where);
    expect_colour(image, c.right ? left : right, c.bottom ? top : bottom, of_seven(0), 3, where);
  }
}

TEST(DecodeVideo, NamesWhatAClipIsNot) {
  const auto refusal = [](const char* file) {
    return media_error(ErrorCode::kInput, [&] { clip(media_file(file), 8); });
  };
  EXPECT_EQ(refusal("sound_only.mp4"),
            "clip: the MP4 file has no moving pictures; if it holds sound, give it as a sound");
  EXPECT_THAT(refusal("sound_only.webm"), HasSubstr("no moving pictures"));
  EXPECT_THAT(refusal("jpeg2000.mov"), HasSubstr("its picture track is coded as jpeg2000; H.264"));
  EXPECT_EQ(refusal("growing.mkv"),
            "clip: the video size changes in the middle, to 160 x 160 pixels; convert it to one "
            "size first");
}

}  // namespace
}  // namespace nolens
