// Damaged and forged clips.
#include <random>

#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

std::string verdict(const std::string& file) {
  try {
    const Video video = clip(file, 8);
    EXPECT_LE(video.frames.size(), 8U);
    EXPECT_GT(video.source_fps, 0.0);
    for (const VideoFrame& frame : video.frames) {
      EXPECT_TRUE(std::isfinite(frame.seconds));
      EXPECT_GE(frame.seconds, 0.0);
    }
    return video.frames.empty() ? "(no frames)" : "";
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kInput || error.code() == ErrorCode::kResource)
        << error.what();
    const std::string message = error.what();
    EXPECT_EQ(message.substr(0, 6), "clip: ");
    EXPECT_LT(message.size(), 400U);
    return message;
  }
}

TEST(CutClip, WithoutItsIndexIsRefused) {
  const std::string file = media_file("seven.mp4");
  EXPECT_THAT(verdict(file.substr(0, file.find("moov") - 4)), HasSubstr("the MP4 data is cut"));
  std::string hidden = file;
  hidden.replace(hidden.find("moov"), 4, "free");
  EXPECT_THAT(verdict(hidden), HasSubstr("the MP4 data is cut"));
}

TEST(DamagedClip, FlippedBitsNeverDoHarm) {
  std::mt19937 random(5);
  for (const char* name : {"seven.mp4", "forty.mp4", "seven.webm", "seven.mkv", "hevc.mp4",
                           "av1.mp4", "vp8.webm", "mpeg4.mp4", "mjpeg.mov", "seven.gif"}) {
    const std::string file = media_file(name);
    for (int round = 0; round < 3; ++round) {
      std::string damaged = file;
      for (int flips = 0; flips < 1 + 8 * round; ++flips) {
        const std::size_t at =
            std::uniform_int_distribution<std::size_t>(12, file.size() - 1)(random);
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
      }
      verdict(damaged);
    }
  }
}

/// Replaces the 32-bit number `offset` bytes behind a box's name.
std::string forged(std::string file, std::string_view box, std::size_t offset,
                   std::uint32_t value) {
  const std::size_t at = file.find(box);
  EXPECT_NE(at, std::string::npos) << box;
  for (std::size_t i = 0; i < 4; ++i) {
    file[at + 4 + offset + i] = static_cast<char>(value >> (24 - 8 * i) & 255);
  }
  return file;
}

TEST(ForgedClip, HugeDurationsAndCountsAreNotBelieved) {
  const std::string file = media_file("seven.mp4");
  const Video honest = clip(file, 8);
  // Durations in the movie, track and media headers (ISO 14496-12, 8.2.2, 8.3.2, 8.4.2).
  for (const auto& [box, offset] : {std::pair{"mvhd", 16}, {"tkhd", 20}, {"mdhd", 16}}) {
    for (const std::uint32_t value : {0U, 0x7FFF'FFFFU, 0xFFFF'FFFFU}) {
      const std::string forgery = forged(file, box, static_cast<std::size_t>(offset), value);
      if (verdict(forgery).empty()) {
        EXPECT_EQ(clip(forgery, 8).source_frames, 7) << box;
      }
    }
  }
  // A billion samples in the tables of times and sizes.
  EXPECT_NE(verdict(forged(file, "stsz", 8, 1'000'000'000)), "");
  verdict(forged(file, "stts", 8, 1'000'000'000));
  verdict(forged(file, "stts", 12, 0));
  verdict(forged(file, "stts", 12, 0xFFFF'FFFF));
  EXPECT_EQ(honest.source_frames, 7);
}

TEST(ForgedClip, ATimeScaleOfNothingGivesNoStrangeTimes) {
  const std::string file = media_file("seven.mp4");
  for (const std::uint32_t scale : {0U, 1U, 0xFFFF'FFFFU}) {
    verdict(forged(file, "mdhd", 12, scale));
    verdict(forged(file, "mvhd", 12, scale));
  }
}

TEST(ForgedClip, ASizeBeyondTheLimitIsRefused) {
  // Width and height of the visual sample entry (ISO 14496-12, 12.1.3), here of MPEG-4 part 2.
  const std::string file = media_file("mpeg4.mp4");
  verdict(forged(file, "mp4v", 24, 0xFFFF'FFFF));
}

TEST(ForgedClip, ReferencesToOtherFilesAreNotFollowed) {
  // The data reference says "in this file" by a flag; without it there is a place to name another.
  const std::string file = media_file("seven.mp4");
  std::string elsewhere = file;
  const std::size_t at = elsewhere.find("url ");
  ASSERT_NE(at, std::string::npos);
  elsewhere[at + 7] = 0;
  verdict(elsewhere);  // whatever comes of it, the process has no means to open a file
  std::string alias = file;
  alias.replace(at, 4, "alis");
  verdict(alias);
}

TEST(DamagedClip, HeadersAloneAreRefused) {
  using std::string_literals::operator""s;
  for (const std::string& file : {"\0\0\0\x10"
                                  "ftypisom\0\0\0\0"s,
                                  "\x1A\x45\xDF\xA3"s, "GIF89a"s, "\0\0\0\x08moov"s}) {
    EXPECT_NE(verdict(file), "");
    for (const char filler : {'\0', '\xFF', 'A'}) {
      EXPECT_NE(verdict(file + std::string(5000, filler)), "");
    }
  }
}

}  // namespace
}  // namespace nolens
