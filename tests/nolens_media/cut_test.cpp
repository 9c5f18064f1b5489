// Files that end too early, cut at a hundred points each.
#include <algorithm>

#include "in_process.h"
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

struct File {
  const char* name;
  const char* mode;
  const char* format;
};

/// A hundred sizes spread over the file, and one byte less than all.
std::vector<std::size_t> cuts(const std::string& file) {
  constexpr std::size_t kPoints = 100;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 1; i < kPoints; ++i) {
    sizes.push_back(i * file.size() / kPoints);
  }
  sizes.push_back(file.size() - 1);
  return sizes;
}

TEST(CutFile, IsRefusedAtAHundredPoints) {
  const File files[] = {{"tone.flac", "audio", "flac"},
                        {"alac.m4a", "audio", "mp4"},
                        {"tone.m4a", "audio", "mp4"},
                        {"sound_only.mp4", "audio", "mp4"},
                        {"sound_only.webm", "audio", "matroska"},
                        {"adpcm.wav", "audio", "wav"},
                        {"seven.mp4", "video", "mp4"},
                        {"index_first.mp4", "video", "mp4"},
                        {"seven.webm", "video", "matroska"},
                        {"seven.mkv", "video", "matroska"},
                        {"hevc.mp4", "video", "mp4"},
                        {"mjpeg.mov", "video", "mp4"},
                        {"one.bmp", "picture", "bmp"}};
  for (const File& f : files) {
    const std::string file = media_file(f.name);
    ASSERT_EQ(reason_in_process(f.mode, f.format, file), std::nullopt) << f.name;
    for (const std::size_t size : cuts(file)) {
      EXPECT_NE(reason_in_process(f.mode, f.format, file.substr(0, size)), std::nullopt)
          << f.name << " cut to " << size;
    }
  }
}

TEST(CutFile, OggIsRefusedUnlessAWholePageIsLost) {
  for (const char* name : {"tone.ogg", "tone.opus"}) {
    const std::string file = media_file(name);
    for (const std::size_t size : cuts(file)) {
      if (file.substr(size, 4) != "OggS") {
        EXPECT_NE(reason_in_process("audio", "ogg", file.substr(0, size)), std::nullopt)
            << name << size;
      }
    }
  }
}

TEST(CutFile, GifIsRefusedUnlessWholeFramesAreLost) {
  const std::string file = media_file("seven.gif");
  int refused = 0;
  for (const std::size_t size : cuts(file)) {
    refused += reason_in_process("video", "gif", file.substr(0, size)).has_value() ? 1 : 0;
  }
  EXPECT_GE(refused, 93);  // 7 places between two frames and one before the trailer
}

TEST(CutFile, Mp3PlaysAsFarAsItGoes) {
  const std::string file = media_file("tone.mp3");
  const std::size_t whole = sound(file).samples.size();
  const std::size_t half = sound(file.substr(0, file.size() / 2)).samples.size();
  EXPECT_GT(half, whole / 4);
  EXPECT_LT(half, whole * 3 / 4);
}

TEST(CutFile, SaysHowManyBytesAreMissing) {
  const std::string wav = sine(16'000, 440, 1000).bytes();
  EXPECT_EQ(
      media_error(ErrorCode::kInput, [&] { sound(wav.substr(0, 1000)); }),
      "sound: the WAV data is cut: it should have 2044 bytes, 1000 are there; copy the file again");
  const std::string mp4 = media_file("index_first.mp4");
  EXPECT_EQ(media_error(ErrorCode::kInput, [&] { clip(mp4.substr(0, mp4.size() - 10), 8); }),
            "clip: the MP4 data is cut: it should have " + std::to_string(mp4.size()) + " bytes, " +
                std::to_string(mp4.size() - 10) + " are there; copy the file again");
  EXPECT_THAT(
      media_error(ErrorCode::kInput, [&] { clip(media_file("seven.gif").substr(0, 1000), 8); }),
      HasSubstr("clip: the GIF data is cut"));
  EXPECT_THAT(
      media_error(ErrorCode::kInput, [&] { picture(media_file("one.bmp").substr(0, 1000)); }),
      HasSubstr("the BMP data is corrupt or incomplete"));
}

}  // namespace
}  // namespace nolens
