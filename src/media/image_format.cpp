// Signatures of the picture formats, and of what people send instead of pictures.
#include "media/image_format.h"

#include <algorithm>

namespace nolens {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view kind;
};

constexpr Signature kOtherKinds[] = {
    {0, "GIF87a"sv, "a GIF picture"},
    {0, "GIF89a"sv, "a GIF picture"},
    {0, "BM"sv, "a BMP picture"},
    {0, "II*\0"sv, "a TIFF picture"},
    {0, "MM\0*"sv, "a TIFF picture"},
    {4, "ftypavif"sv, "an AVIF picture"},
    {4, "ftypavis"sv, "an AVIF picture"},
    {4, "ftypheic"sv, "a HEIC picture"},
    {4, "ftypheix"sv, "a HEIC picture"},
    {4, "ftyphevc"sv, "a HEIC picture"},
    {4, "ftypmif1"sv, "a HEIF picture"},
    {4, "ftypmsf1"sv, "a HEIF picture"},
    {4, "ftyp"sv, "an MP4 or similar video"},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"sv, "a JPEG 2000 picture"},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    {0, "\xFF\x0A"sv, "a JPEG XL picture"},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"sv, "a JPEG XL picture"},
    {0, "\0\0\1\0"sv, "an icon file"},
    {0, "8BPS"sv, "a Photoshop picture"},
    {0, "%PDF-"sv, "a PDF document"},
    {0, "PK\x03\x04"sv, "a ZIP archive or an office document"},
    {0, "\x1F\x8B"sv, "a gzip archive"},
    {0, "RIFF"sv, "a WAV, AVI or other RIFF file, not WebP"},
    {0, "\x1A\x45\xDF\xA3"sv, "a Matroska or WebM video"},
    {0, "OggS"sv, "an Ogg file"},
    {0, "fLaC"sv, "a FLAC sound"},
    {0, "ID3"sv, "an MP3 sound"},
};

constexpr Signature kMarkup[] = {
    {0, "<svg"sv, "an SVG drawing"},
    {0, "<!doctype html"sv, "an HTML page"},
    {0, "<html"sv, "an HTML page"},
    {0, "<?xml"sv, "an XML or SVG document"},
    {0, "<!doctype svg"sv, "an SVG drawing"},
    {0, "data:"sv, "the text of a data URL, not the bytes it stands for"},
};

bool starts_with(std::string_view file, const Signature& signature) noexcept {
  return file.size() >= signature.offset + signature.bytes.size() &&
         file.compare(signature.offset, signature.bytes.size(), signature.bytes) == 0;
}

bool starts_with_any_case(std::string_view text, std::string_view lower) noexcept {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char expected, char found) {
           return expected ==
                  (found >= 'A' && found <= 'Z' ? static_cast<char>(found + 32) : found);
         });
}

std::string_view as_text(std::span<const std::byte> file) noexcept {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace

ImageFormat image_format(std::span<const std::byte> file) noexcept {
  const std::string_view text = as_text(file);
  if (text.substr(0, 3) == "\xFF\xD8\xFF"sv) {
    return ImageFormat::kJpeg;
  }
  if (text.substr(0, 8) == "\x89PNG\r\n\x1A\n"sv) {
    return ImageFormat::kPng;
  }
  if (text.size() >= 12 && text.substr(0, 4) == "RIFF"sv && text.substr(8, 4) == "WEBP"sv) {
    return ImageFormat::kWebp;
  }
  return ImageFormat::kUnknown;
}

std::string_view other_file_kind(std::span<const std::byte> file) noexcept {
  std::string_view text = as_text(file);
  for (const Signature& signature : kOtherKinds) {
    if (starts_with(text, signature)) {
      return signature.kind;
    }
  }
  // Markup may begin with a byte-order mark and white space.
  if (text.substr(0, 3) == "\xEF\xBB\xBF"sv) {
    text.remove_prefix(3);
  }
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  for (const Signature& signature : kMarkup) {
    if (starts_with_any_case(text, signature.bytes)) {
      return signature.kind;
    }
  }
  return {};
}

}  // namespace nolens
