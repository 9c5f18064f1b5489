// A file is what its first bytes say.
#include "media/image_format.h"

#include "media/picture.h"

namespace nolens {
namespace {

using std::string_view_literals::operator""sv;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(ImageFormat, KnowsTheThreeSupportedKinds) {
  EXPECT_EQ(image_format(bytes_of("\xFF\xD8\xFF\xE0"sv)), ImageFormat::kJpeg);
  EXPECT_EQ(image_format(bytes_of("\x89PNG\r\n\x1A\n...."sv)), ImageFormat::kPng);
  EXPECT_EQ(image_format(bytes_of("RIFF\0\0\0\0WEBPVP8 "sv)), ImageFormat::kWebp);
}

TEST(ImageFormat, WantsTheWholeSignature) {
  for (const std::string_view start :
       {""sv, "\xFF\xD8"sv, "\x89PNG\r\n\x1A"sv, "RIFF\0\0\0\0WEB"sv, "RIFF\0\0\0\0WAVE"sv}) {
    EXPECT_EQ(image_format(bytes_of(start)), ImageFormat::kUnknown) << start.size();
  }
}

TEST(OtherFileKind, NamesWhatPeopleSendInstead) {
  const std::pair<std::string_view, const char*> kinds[] = {
      {"GIF89a"sv, "GIF"},
      {"BM\x36\0\0\0"sv, "BMP"},
      {"II*\0\x08"sv, "TIFF"},
      {"MM\0*\0"sv, "TIFF"},
      {"\0\0\0\x18"
       "ftypheic"sv,
       "HEIC"},
      {"\0\0\0\x1C"
       "ftypavif"sv,
       "AVIF"},
      {"\0\0\0\x20"
       "ftypisom"sv,
       "video"},
      {"%PDF-1.7"sv, "PDF"},
      {"PK\x03\x04"sv, "ZIP"},
      {"<svg xmlns="sv, "SVG"},
      {"\xEF\xBB\xBF  \n<?xml version='1.0'?><svg"sv, "SVG"},
      {"<!DOCTYPE HTML>"sv, "HTML"},
      {"\r\n<HTML>"sv, "HTML"},
      {"RIFF\0\0\0\0WAVE"sv, "WAV"},
      {"data:image/png;base64,iVBORw0KGgo="sv, "data URL"},
      {"8BPS\0\1"sv, "Photoshop"},
  };
  for (const auto& [start, name] : kinds) {
    EXPECT_THAT(std::string(other_file_kind(bytes_of(start))), ::testing::HasSubstr(name));
  }
}

TEST(OtherFileKind, IsEmptyForAnythingElse) {
  for (const std::string_view start : {""sv, "G"sv, "hello"sv, "\0\0\0\0"sv, "   "sv, "<"sv}) {
    EXPECT_EQ(other_file_kind(bytes_of(start)), "");
  }
}

}  // namespace
}  // namespace nolens
