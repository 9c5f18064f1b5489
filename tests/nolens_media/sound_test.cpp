// Sounds in every supported coding: the tone that was put in comes out.
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

struct Tone {
  const char* file;
  std::size_t fewest;  ///< samples; lossy codings add or drop some at the ends
  std::size_t most;
  double tolerance;  ///< of the amplitude
  double amplitude = 0.125;
};

TEST(DecodeAudio, EveryCodingGivesTheTone) {
  // LAME lowers every sound to 95 %. The lossless ones exactly half a second; MP3, Vorbis and AAC
  // come in frames of 576 to 1024 samples at 44100, and none of the containers says in full how
  // much of the last is padding.
  const Tone tones[] = {
      {"tone.flac", 8000, 8000, 1e-4},
      {"alac.m4a", 8000, 8000, 1e-4},
      {"tone.mp3", 7600, 8420, 0.005, 0.95 * 0.125},
      {"tone.ogg", 7600, 8400, 0.005},
      {"tone.opus", 8000, 8000, 0.005},
      {"sound_only.webm", 7990, 8120, 0.005},
      {"tone.m4a", 8000, 8400, 0.005},
      {"sound_only.mp4", 8000, 8400, 0.005},
      {"both.mp4", 8000, 8400, 0.005},
      {"adpcm.wav", 8000, 8500, 0.005},
  };
  for (const Tone& tone : tones) {
    const Audio audio = sound(media_file(tone.file));
    EXPECT_GE(audio.samples.size(), tone.fewest) << tone.file;
    EXPECT_LE(audio.samples.size(), tone.most) << tone.file;
    ASSERT_GT(audio.samples.size(), 7000U) << tone.file;
    // The middle 4000 samples are 110 periods.
    EXPECT_NEAR(amplitude_of(audio, 440.0, 2000, 6000), tone.amplitude, tone.tolerance)
        << tone.file;
    EXPECT_LT(amplitude_of(audio, 880.0, 2000, 6000), 0.003) << tone.file;
    double energy = 0.0;
    for (std::size_t i = 2000; i < 6000; ++i) {
      energy += static_cast<double>(audio.samples[i]) * audio.samples[i];
    }
    EXPECT_NEAR(std::sqrt(energy / 4000.0), tone.amplitude / std::sqrt(2.0), 0.004) << tone.file;
  }
}

TEST(DecodeAudio, SaysThatAClipHasNoSound) {
  EXPECT_EQ(media_error(ErrorCode::kInput, [] { sound(media_file("seven.mp4")); }),
            "sound: the MP4 file has no sound track");
}

TEST(DecodeAudio, EscapesTheName) {
  const std::string file = media_file("seven.mp4");
  EXPECT_THAT(
      media_error(
          ErrorCode::kInput,
          [&] { decode_audio(std::as_bytes(std::span(file)), "a\x1B[31mb", media_options()); }),
      HasSubstr("a\\x1b[31mb: the MP4"));
}

TEST(DecodeAudio, SkipsJunkBetweenMp3Frames) {
  const std::string mp3 = media_file("tone.mp3");
  const std::size_t whole = sound(mp3).samples.size();
  std::string tag = "TAG";  // ID3 version 1
  tag.resize(128, ' ');
  EXPECT_EQ(sound(mp3 + tag).samples.size(), whole);
  std::string id3("ID3\4\0\0\0\0\2\0", 10);  // version 2, 256 bytes
  id3.resize(10 + 256, '\0');
  EXPECT_EQ(sound(id3 + mp3).samples.size(), whole);
}

TEST(DecodeAudio, GivesTheSameSamplesEveryTime) {
  const std::string ogg = media_file("tone.ogg");
  EXPECT_EQ(sound(ogg).samples, sound(ogg).samples);
}

}  // namespace
}  // namespace nolens
