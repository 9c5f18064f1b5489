// Damaged sounds: every one ends in a sound or in one sentence, never in anything else.
#include <algorithm>
#include <random>

#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

constexpr char kSupported[] = "supported sounds are";

/// "" if the file decodes; the message otherwise, which must be a sentence of ours.
std::string verdict(const std::string& file) {
  try {
    const Audio audio = sound(file);
    for (const float sample : audio.samples) {
      EXPECT_TRUE(std::isfinite(sample));
    }
    return audio.samples.empty() ? "(no samples)" : "";
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kInput || error.code() == ErrorCode::kResource)
        << error.what();
    const std::string message = error.what();
    EXPECT_EQ(message.substr(0, 7), "sound: ");
    EXPECT_LT(message.size(), 400U);
    return message;
  }
}

TEST(DamagedSound, FlippedBitsNeverDoHarm) {
  std::mt19937 random(7);
  for (const char* name : {"tone.flac", "tone.mp3", "tone.ogg", "tone.opus", "tone.m4a", "alac.m4a",
                           "sound_only.webm", "adpcm.wav"}) {
    const std::string file = media_file(name);
    for (int round = 0; round < 3; ++round) {
      std::string damaged = file;
      for (int flips = 0; flips < 1 + 8 * round; ++flips) {
        const std::size_t at =
            std::uniform_int_distribution<std::size_t>(0, file.size() - 1)(random);
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
      }
      verdict(damaged);
    }
  }
}

TEST(DamagedSound, FlacNoticesAnyFlippedBitOfItsFrames) {
  const std::string file = media_file("tone.flac");
  const std::size_t frames = file.find("\xFF\xF8");  // behind 8 KiB of padding
  std::mt19937 random(3);
  for (int round = 0; round < 6; ++round) {
    std::string damaged = file;
    const std::size_t at =
        std::uniform_int_distribution<std::size_t>(frames, file.size() - 1)(random);
    damaged[at] = static_cast<char>(damaged[at] ^ 16);
    EXPECT_NE(verdict(damaged), "") << at;
  }
}

TEST(DamagedSound, HugePicturesInFlacAreNotBelieved) {
  std::string file = media_file("tone.flac");
  // After STREAMINFO (4 + 4 + 34 bytes): a picture block that claims 16 MiB.
  file.insert(42, std::string("\6\xFF\xFF\xFF", 4) + std::string(40, '\xFF'));
  EXPECT_NE(verdict(file), "");
}

TEST(DamagedSound, AStreaminfoThatPromisesMoreIsRefused) {
  std::string file = media_file("tone.flac");
  // Total samples: the low 36 bits that end at byte 4 + 4 + 18 (RFC 9639, 8.2).
  file[8 + 14] = 0x7F;
  EXPECT_THAT(verdict(file), HasSubstr("the FLAC data is cut before its end"));
}

TEST(DamagedSound, HeadersAloneAreRefused) {
  using std::string_literals::operator""s;
  for (const std::string& file :
       {"fLaC"s, "OggS"s, "ID3"s, "RIFF\0\0\0\0WAVE"s, "\xFF\xFB\x90\x64"s,
        "\0\0\0\x10"
        "ftypM4A \0\0\0\0"s,
        "\x1A\x45\xDF\xA3"s}) {
    EXPECT_NE(verdict(file), "");
    for (const char filler : {'\0', '\xFF', 'A'}) {
      EXPECT_NE(verdict(file + std::string(5000, filler)), "");
    }
  }
}

TEST(DamagedSound, RandomBytesAreNoSound) {
  std::mt19937 random(11);
  for (int round = 0; round < 12; ++round) {
    std::string file(64 + 200 * static_cast<std::size_t>(round), '\0');
    for (char& byte : file) {
      byte = static_cast<char>(random());
    }
    EXPECT_NE(verdict(file), "");
  }
  EXPECT_THAT(verdict(std::string(5000, ',')), HasSubstr(kSupported));
}

}  // namespace
}  // namespace nolens
