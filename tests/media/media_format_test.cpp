#include "media/media_format.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using std::string_view_literals::operator""sv;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(MediaFormat, GoesByTheFirstBytes) {
  struct Case {
    std::string_view start;
    MediaFormat format;
    MediaKind kind;
  };
  const Case cases[] = {
      {"\xFF\xD8\xFF\xE0"sv, MediaFormat::kJpeg, MediaKind::kImage},
      {"\x89PNG\r\n\x1A\n"sv, MediaFormat::kPng, MediaKind::kImage},
      {"RIFF\x10\0\0\0WEBPVP8 "sv, MediaFormat::kWebp, MediaKind::kImage},
      {"GIF89a\1\0\1\0"sv, MediaFormat::kGif, MediaKind::kImage},
      {"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"sv, MediaFormat::kBmp, MediaKind::kImage},
      {"RIFF\xFF\xFF\xFF\xFFWAVEfmt "sv, MediaFormat::kWav, MediaKind::kAudio},
      {"RF64\xFF\xFF\xFF\xFFWAVEds64"sv, MediaFormat::kWav, MediaKind::kAudio},
      {"fLaC\0\0\0\x22"sv, MediaFormat::kFlac, MediaKind::kAudio},
      {"ID3\4\0"sv, MediaFormat::kMp3, MediaKind::kAudio},
      {"\xFF\xFB\x90\x64\0"sv, MediaFormat::kMp3, MediaKind::kAudio},
      {"\xFF\xF3\x40\xC4\0"sv, MediaFormat::kMp3, MediaKind::kAudio},
      {"OggS\0\2"sv, MediaFormat::kOgg, MediaKind::kAudio},
      {"\0\0\0\x20"
       "ftypM4A \0\0\0\0"sv,
       MediaFormat::kM4a, MediaKind::kAudio},
      {"\0\0\0\x20"
       "ftypisom\0\0\0\0"sv,
       MediaFormat::kMp4, MediaKind::kVideo},
      {"\0\0\0\x20"
       "ftypqt  \0\0\0\0"sv,
       MediaFormat::kMp4, MediaKind::kVideo},
      {"\0\0\0\x08wide\0\0\0\0mdat"sv, MediaFormat::kMp4, MediaKind::kVideo},
      {"\x1A\x45\xDF\xA3\x01"sv, MediaFormat::kMatroska, MediaKind::kVideo},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(media_format(bytes(c.start)), c.format) << c.start;
    EXPECT_EQ(sniff_media(bytes(c.start)), c.kind) << c.start;
  }
}

TEST(MediaFormat, TakesNothingElseForMedia) {
  const std::string_view others[] = {""sv,
                                     "R"sv,
                                     "RIFF"sv,
                                     "RIFF\0\0\0\0AVI LIST"sv,
                                     "BM"sv,
                                     "BMW and other cars of the year"sv,
                                     "\0\0\0\x20"
                                     "ftypavif"sv,
                                     "\0\0\0\x20"
                                     "ftypheic"sv,
                                     "\0\0\0\x20"
                                     "ftyp"sv.substr(0, 7),
                                     "\xFF\xF1\x50\x80"sv,  // AAC in ADTS: layer 0
                                     "\xFF\xFE<\0h\0"sv,    // UTF-16
                                     "\xFF\xFB\xF0\x64"sv,  // an MP3 header without a possible rate
                                     "#EXTM3U\nfile:///etc/passwd"sv,
                                     "ffconcat version 1.0"sv,
                                     "%PDF-1.7"sv,
                                     "hello"sv};
  for (const std::string_view other : others) {
    EXPECT_EQ(media_format(bytes(other)), MediaFormat::kUnknown) << other;
    EXPECT_EQ(sniff_media(bytes(other)), MediaKind::kUnknown) << other;
  }
}

TEST(MediaFormat, EveryFormatOfTheDecoderHasAWordForIt) {
  for (int i = 0; i <= static_cast<int>(MediaFormat::kMatroska); ++i) {
    const auto format = static_cast<MediaFormat>(i);
    const bool own = format == MediaFormat::kUnknown || format == MediaFormat::kJpeg ||
                     format == MediaFormat::kPng || format == MediaFormat::kWebp;
    EXPECT_EQ(decoder_word(format).empty(), own) << display_name(format);
  }
}

template <typename Action>
std::string input_error(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code() == ErrorCode::kInput ? error.what() : "(other code)";
  }
  return "(no error)";
}

TEST(DecodeAudio, RefusesWhatIsNoSoundBeforeAProgramIsStarted) {
  MediaOptions options;
  options.program = "/nonexistent";  // starting it would be another error
  const auto refusal = [&](std::string_view file) {
    return input_error([&] { decode_audio(bytes(file), "na\nme", options); });
  };
  EXPECT_THAT(refusal(""), AllOf(HasSubstr("na\\x0ame: the sound is empty"),
                                 HasSubstr("supported sounds are WAV")));
  EXPECT_THAT(refusal("#EXTM3U\nhttp://x/"),
              HasSubstr("a playlist (HLS, M3U), which cannot be read as a sound; supported"));
  EXPECT_THAT(refusal("<?xml version=\"1.0\"?><MPD>"), HasSubstr("cannot be read as a sound"));
  EXPECT_THAT(refusal("ffconcat version 1.0\nfile x"), HasSubstr("a list of files"));
  EXPECT_THAT(refusal("v=0\r\no=- 0 0 IN IP4 127.0.0.1"), HasSubstr("SDP"));
  EXPECT_THAT(refusal("%PDF-1.4"), HasSubstr("a PDF document"));
  EXPECT_THAT(refusal("<svg/>"), HasSubstr("an SVG drawing"));
  EXPECT_THAT(refusal("some words"),
              HasSubstr("this is text (10 bytes, beginning with 'some wor')"));
  EXPECT_THAT(refusal("\x01\x02\x03"), HasSubstr("of no known kind (3 bytes"));
  EXPECT_THAT(refusal("\x89PNG\r\n\x1A\n"),
              HasSubstr("this is PNG data, which cannot be read as a sound"));
  EXPECT_THAT(refusal("GIF89a"), HasSubstr("this is GIF data, which cannot be read as a sound"));
}

TEST(DecodeVideo, RefusesWhatIsNoClipBeforeAProgramIsStarted) {
  MediaOptions options;
  options.program = "/nonexistent";
  const auto refusal = [&](std::string_view file) {
    return input_error([&] { decode_video(bytes(file), "clip", 32, options); });
  };
  EXPECT_THAT(refusal(""), HasSubstr("clip: the clip is empty (0 bytes arrived)"));
  EXPECT_THAT(
      refusal("fLaC"),
      HasSubstr("this is FLAC data, which cannot be read as a clip; supported clips are MP4"));
  EXPECT_THAT(refusal("RIFF\0\0\0\0AVI LIST"sv),
              HasSubstr("this is an AVI clip, which cannot be read as a clip; supported"));
  std::string commas = "data:video/jpeg;base64,";
  for (int i = 0; i < 10'000; ++i) {
    commas += "/9j/,";
  }
  EXPECT_THAT(refusal(commas), HasSubstr("the text of a data URL"));
  EXPECT_THROW(decode_video(bytes("\x1A\x45\xDF\xA3"sv), "clip", 0, options), Error);
}

TEST(DecodeImage, NamesAllPicturesItReads) {
  MediaOptions options;
  options.program = "/nonexistent";
  EXPECT_THAT(
      input_error([&] { decode_image(bytes("text"), "p", options); }),
      HasSubstr(
          "cannot be read as a picture; supported pictures are JPEG, PNG, WebP, GIF and BMP"));
  EXPECT_THAT(input_error([&] { decode_image({}, "p", options); }), HasSubstr("0 bytes arrived"));
  EXPECT_THAT(input_error([&] { decode_image(bytes("\xFF\xD8\xFF"sv), "p", options); }),
              HasSubstr("JPEG data ends"));
}

TEST(DecodeAudio, SaysHowToGetTheProgramThatIsMissing) {
  MediaOptions options;
  options.program = "/nonexistent/nolens-media";
  try {
    decode_audio(bytes("fLaC"), "x.flac", options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResource);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("x.flac: FLAC is decoded by the program nolens-media"),
                      HasSubstr("not at '/nonexistent/nolens-media'"), HasSubstr("docs/media.md"),
                      HasSubstr("NOLENS_MEDIA")));
  }
}

}  // namespace
}  // namespace nolens
