// WAV: every sample format, forged headers, values that are no sound.
#include <limits>

#include "media_files.h"

namespace nolens {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const Wav& wav, ErrorCode code = ErrorCode::kInput) {
  return media_error(code, [&] { sound(wav.bytes()); });
}

TEST(Wav, SamplesOfEveryWidthBecomeFractionsOfFullScale) {
  Wav s8{.bits = 8};
  s8.add<std::uint8_t>(128).add<std::uint8_t>(0).add<std::uint8_t>(192);
  EXPECT_THAT(sound(s8.bytes()).samples, ElementsAre(0.0F, -1.0F, 0.5F));
  Wav s16{.bits = 16};
  s16.add<std::int16_t>(0).add<std::int16_t>(-32768).add<std::int16_t>(16384).add<std::int16_t>(1);
  EXPECT_THAT(sound(s16.bytes()).samples, ElementsAre(0.0F, -1.0F, 0.5F, 1.0F / 32768));
  Wav s24{.bits = 24};
  s24.data = std::string("\0\0\0\0\0\x80\0\0\x40\1\0\0", 12);
  EXPECT_THAT(sound(s24.bytes()).samples, ElementsAre(0.0F, -1.0F, 0.5F, 1.0F / 8388608));
  Wav s32{.bits = 32};
  s32.add<std::int32_t>(0).add(std::numeric_limits<std::int32_t>::min()).add<std::int32_t>(1 << 30);
  EXPECT_THAT(sound(s32.bytes()).samples, ElementsAre(0.0F, -1.0F, 0.5F));
  Wav f32{.format = 3, .bits = 32};
  f32.add(0.25F).add(-1.5F).add(1e-40F);
  EXPECT_THAT(sound(f32.bytes()).samples, ElementsAre(0.25F, -1.5F, 1e-40F))
      << "nothing is clipped";
  Wav f64{.format = 3, .bits = 64};
  f64.add(0.25).add(-1.0);
  EXPECT_THAT(sound(f64.bytes()).samples, ElementsAre(0.25F, -1.0F));
}

TEST(Wav, TelephoneCodingsFollowG711) {
  // ITU-T G.711, tables 1a and 2a: the largest and the smallest values, scaled to 16 bits.
  Wav alaw{.format = 6, .bits = 8};
  alaw.data = "\xD5\x55\xAA\x2A";
  EXPECT_THAT(sound(alaw.bytes()).samples,
              ElementsAre(8 / 32768.0F, -8 / 32768.0F, 32256 / 32768.0F, -32256 / 32768.0F));
  Wav mulaw{.format = 7, .bits = 8};
  mulaw.data = std::string("\xFF\x7F\x80\x00", 4);
  EXPECT_THAT(sound(mulaw.bytes()).samples,
              ElementsAre(0.0F, 0.0F, 32124 / 32768.0F, -32124 / 32768.0F));
}

TEST(Wav, ChannelsAreAveraged) {
  Wav stereo{.channels = 2};
  stereo.add<std::int16_t>(1000)
      .add<std::int16_t>(3000)
      .add<std::int16_t>(-32768)
      .add<std::int16_t>(-32768);
  EXPECT_THAT(sound(stereo.bytes()).samples, ElementsAre(2000 / 32768.0F, -1.0F));
  for (const int channels : {3, 6, 8, 63, 255}) {
    Wav wav{.channels = static_cast<std::uint16_t>(channels)};
    for (int moment = 0; moment < 3; ++moment) {
      for (int channel = 0; channel < channels; ++channel) {
        wav.add(static_cast<std::int16_t>(channel == moment ? 32000 : 0));
      }
    }
    const auto expected = static_cast<float>(32000.0 / 32768.0 / channels);
    EXPECT_THAT(sound(wav.bytes()).samples, ElementsAre(expected, expected, expected)) << channels;
  }
}

TEST(Wav, RefusesImpossibleChannelCounts) {
  for (const int channels : {0, 65'535}) {
    Wav wav{.channels = static_cast<std::uint16_t>(channels)};
    wav.data.assign(400'000, '\1');
    EXPECT_THAT(refusal(wav), ::testing::AnyOf(HasSubstr("corrupt"), HasSubstr("no sound track")))
        << channels;
  }
}

TEST(Wav, RefusesRatesThatAreNone) {
  for (const std::uint32_t rate :
       {0U, 1U, 7U, 999U, 768'001U, 0x7FFF'FFFFU, 0x8000'0000U, 0xFFFF'FFFFU}) {
    Wav wav{.rate = rate};
    wav.data.assign(2000, '\1');
    EXPECT_THAT(refusal(wav), ::testing::AnyOf(HasSubstr("a sample rate of"), HasSubstr("corrupt")))
        << rate;
  }
}

TEST(Wav, RefusesSilenceWithoutSamples) {
  EXPECT_EQ(refusal(Wav{}), "sound: the WAV sound is empty: it holds no sample");
  const std::string one = Wav{}.add<std::int16_t>(100).bytes();
  EXPECT_EQ(sound(one).samples.size(), 1U);
}

TEST(Wav, RefusesValuesThatAreNotFinite) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    Wav wav{.format = 3, .bits = 32};
    wav.add(0.0F).add(0.5F).add(value).add(0.0F);
    EXPECT_EQ(refusal(wav), "sound: sample 2 of the sound is not a finite number");
  }
  Wav loud{.format = 3, .rate = 44'100, .bits = 32};
  loud.add(1e38F);
  EXPECT_THAT(refusal(loud),
              HasSubstr("sample 0 of the sound is beyond a million times full scale"));
}

TEST(Wav, SilenceDirectCurrentAndSquareWavesStayFinite) {
  for (const int shape : {0, 1, 2}) {
    Wav wav{.rate = 48'000};
    for (int i = 0; i < 4800; ++i) {
      wav.add(static_cast<std::int16_t>(shape == 0        ? 0
                                        : shape == 1      ? 16384
                                        : i / 24 % 2 == 0 ? 32767
                                                          : -32768));
    }
    const Audio audio = sound(wav.bytes());
    ASSERT_EQ(audio.samples.size(), 1600U);
    for (const float sample : audio.samples) {
      EXPECT_TRUE(std::isfinite(sample));
      EXPECT_LT(std::abs(sample), 1.5F);
    }
    if (shape < 2) {
      EXPECT_NEAR(audio.samples[800], shape == 0 ? 0.0 : 0.5, 1e-5);
    }
  }
}

TEST(Wav, SizesThatAreNotKnownMeanToTheEnd) {
  const Wav wav = sine(16'000, 1000, 500);
  const std::vector<float> expected = sound(wav.bytes()).samples;
  ASSERT_EQ(expected.size(), 500U);
  for (const std::uint32_t size : {0U, 0xFFFF'FFFFU}) {
    const std::string chunks =
        Wav::chunk("fmt ", wav.fmt(), 16) + Wav::chunk("data", wav.data, size);
    for (const std::uint32_t outer : {0U, 0xFFFF'FFFFU, 36U + 1000U}) {
      EXPECT_EQ(sound(Wav::riff(chunks, outer)).samples, expected) << size << " in " << outer;
    }
  }
}

TEST(Wav, SixtyFourBitSizesAreRead) {
  const Wav wav = sine(16'000, 1000, 500);
  std::string sizes;
  Wav::put(sizes, std::uint64_t{0});
  Wav::put(sizes, static_cast<std::uint64_t>(wav.data.size()));
  Wav::put(sizes, std::uint64_t{500});
  Wav::put(sizes, std::uint32_t{0});
  std::string file = Wav::riff(Wav::chunk("ds64", sizes, 28) + Wav::chunk("fmt ", wav.fmt(), 16) +
                                   Wav::chunk("data", wav.data, 0xFFFF'FFFF),
                               0xFFFF'FFFF);
  file.replace(0, 4, "RF64");
  EXPECT_EQ(sound(file).samples, sound(wav.bytes()).samples);
  file.pop_back();
  EXPECT_THAT(media_error(ErrorCode::kInput, [&] { sound(file); }),
              HasSubstr("the WAV data is cut"));
}

TEST(Wav, RefusesChunksThatLie) {
  const Wav wav = sine(16'000, 1000, 500);
  const std::string fmt = Wav::chunk("fmt ", wav.fmt(), 16);
  const std::string data = Wav::chunk("data", wav.data, 1000);
  const auto refused = [](const std::string& chunks) {
    return media_error(ErrorCode::kInput, [&] { sound(Wav::riff(chunks, 100)); });
  };
  EXPECT_THAT(refused(data), HasSubstr("corrupt")) << "no fmt";
  EXPECT_THAT(refused(fmt), HasSubstr("sound: the WAV")) << "no data";
  EXPECT_THAT(refused(data + fmt), HasSubstr("corrupt")) << "data first";
  EXPECT_THAT(refused(Wav::chunk("fmt ", "", 0) + data), HasSubstr("sound: ")) << "empty fmt";
  EXPECT_THAT(refused(Wav::chunk("fmt ", wav.fmt().substr(0, 15), 15) + data),
              HasSubstr("sound: "));
  EXPECT_THAT(refused(fmt + Wav::chunk("data", wav.data, 1001)),
              HasSubstr("cut: it should have 1045 bytes, 1044 are there"));
  EXPECT_THAT(refused(""), HasSubstr("sound: "));
}

TEST(Wav, MetadataIsNotBelieved) {
  const std::vector<float> expected = sound(sine(16'000, 1000, 500).bytes()).samples;
  for (const char* name : {"smpl", "bext", "fact", "LIST", "id3 ", "cue "}) {
    Wav wav = sine(16'000, 1000, 500);
    wav.before_data = Wav::chunk(name, std::string(64, '\xFF'), 64);
    EXPECT_EQ(sound(wav.bytes()).samples, expected) << name;
    wav.before_data = Wav::chunk(name, "", 0);
    EXPECT_EQ(sound(wav.bytes()).samples, expected) << name << " of size 0";
    wav.before_data = Wav::chunk(name, std::string(64, '\0'), 2'000'000'000);
    EXPECT_THAT(refusal(wav), HasSubstr("sound: ")) << name << " beyond the file";
  }
}

TEST(Wav, SaysWhichCodingIsNotRead) {
  Wav wav{.format = 0x0031};  // GSM 6.10
  wav.data.assign(1000, '\1');
  EXPECT_THAT(refusal(wav), HasSubstr("its sound track is coded as gsm_ms; PCM"));
}

}  // namespace
}  // namespace nolens
