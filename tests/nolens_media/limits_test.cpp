// Limits are counted while decoding.
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

TEST(Limits, ASoundMayBeAsLongAsAllowed) {
  MediaOptions options = media_options();
  options.clip.max_audio_seconds = 0.5;
  for (const char* file : {"tone.flac", "alac.m4a", "tone.opus"}) {
    EXPECT_EQ(sound(media_file(file), options).samples.size(), 8000U) << file;
  }
  options.clip.max_audio_seconds = 0.4999;
  for (const char* file : {"tone.flac", "alac.m4a", "tone.opus", "tone.m4a", "sound_only.webm"}) {
    EXPECT_THAT(media_error(ErrorCode::kResource, [&] { sound(media_file(file), options); }),
                HasSubstr("the sound is longer than the limit of 0.4999 s; cut it first"))
        << file;
  }
}

TEST(Limits, ASoundMayTakeAsMuchMemoryAsAllowed) {
  MediaOptions options = media_options();
  options.clip.max_decoded_bytes = 32'000;
  EXPECT_EQ(sound(media_file("tone.flac"), options).samples.size(), 8000U);
  options.clip.max_decoded_bytes = 31'999;
  EXPECT_THAT(media_error(ErrorCode::kResource, [&] { sound(media_file("tone.flac"), options); }),
              HasSubstr("more than the limit of 31999"));
}

TEST(Limits, AForgedRateOnlyShortensTheSound) {
  Wav wav{.channels = 8, .rate = 655'350};
  wav.data.assign(std::size_t{16} * 200'000, '\1');
  EXPECT_EQ(sound(wav.bytes()).samples.size(), (200'000U * 16'000 + 655'349) / 655'350);
}

TEST(Limits, AClipMayBeAsLongAndAsLargeAsAllowed) {
  const std::string file = media_file("forty.mp4");
  const auto refusal = [&](const MediaOptions& options) {
    return media_error(ErrorCode::kResource, [&] { clip(file, 4, options); });
  };
  MediaOptions options = media_options();
  options.clip.max_video_frames = 40;
  options.clip.max_video_seconds = 2.0;
  options.clip.max_video_side = 48;
  options.clip.max_decoded_bytes = 4 * 48 * 32 * 3;
  EXPECT_EQ(clip(file, 4, options).frames.size(), 4U);
  MediaOptions changed = options;
  changed.clip.max_video_frames = 39;
  EXPECT_EQ(refusal(changed), "clip: the clip has more frames than the limit of 39; cut it first");
  changed = options;
  changed.clip.max_video_seconds = 1.9;
  EXPECT_EQ(refusal(changed), "clip: the clip is longer than the limit of 1.9 s; cut it first");
  changed = options;
  changed.clip.max_video_side = 47;
  EXPECT_THAT(refusal(changed), HasSubstr("48 x 32 pixels, too large: no side may exceed 47"));
  changed = options;
  changed.clip.max_decoded_bytes -= 1;
  EXPECT_THAT(refusal(changed),
              HasSubstr("decoded it takes 18432 bytes, more than the limit of 18431"));
}

TEST(Limits, AJumpInSizeIsRefusedAtTheFirstLargeFrame) {
  MediaOptions options = media_options();
  options.clip.max_video_side = 100;
  EXPECT_THAT(
      media_error(ErrorCode::kResource, [&] { clip(media_file("growing.mkv"), 8, options); }),
      HasSubstr("160 x 160 pixels, too large: no side may exceed 100"));
}

TEST(Limits, MemoryIsBounded) {
  MediaOptions options = media_options();
  options.clip.memory_bytes = std::int64_t{1} << 20;
  // 4 MB of pixels, which exist several times while they are decoded.
  std::string bmp = media_file("one.bmp").substr(0, 54);
  bmp.replace(18, 8, std::string("\0\4\0\0\0\4\0\0", 8));
  bmp.append(std::size_t{1024} * 1024 * 4, 'x');
  EXPECT_THAT(media_error(ErrorCode::kResource, [&] { picture(bmp, options); }),
              HasSubstr("takes more memory than the 1048576 bytes allowed"));
}

}  // namespace
}  // namespace nolens
