// Signatures of sounds, clips and the pictures that nolens-media decodes.
#include "media/media_format.h"

#include <algorithm>

#include "core/escape.h"
#include "media/image_format.h"

namespace nolens {
namespace {

using std::string_view_literals::operator""sv;

std::uint32_t big_endian(std::string_view text, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(text[i]);
  }
  return value;
}

/// A header of MPEG audio layer III (ISO 11172-3, 2.4.2.3) that names a rate and a frame length.
bool is_mp3_header(std::string_view text) noexcept {
  if (text.size() < 4) {
    return false;
  }
  const std::uint32_t header = big_endian(text, 0);
  const bool sync = header >> 21 == 0x7FF;
  const bool known_version = (header >> 19 & 3) != 1;
  const bool layer3 = (header >> 17 & 3) == 1;
  const std::uint32_t bitrate = header >> 12 & 15;
  const bool known_rate = (header >> 10 & 3) != 3;
  return sync && known_version && layer3 && bitrate != 0 && bitrate != 15 && known_rate;
}

bool is_bmp(std::string_view text) noexcept {
  if (text.size() < 18 || text.substr(0, 2) != "BM"sv) {
    return false;
  }
  // The size of the second header: OS/2 1 and 2, Windows 3, its versions with masks, 4, 5.
  constexpr unsigned kHeaderSizes[] = {12, 16, 40, 52, 56, 64, 108, 124};
  const auto size = static_cast<unsigned char>(text[14]);
  return text.substr(15, 3) == "\0\0\0"sv &&
         std::find(std::begin(kHeaderSizes), std::end(kHeaderSizes), size) !=
             std::end(kHeaderSizes);
}

/// ISO base media (ISO 14496-12) and QuickTime, not the still pictures in the same boxes.
MediaFormat box_format(std::string_view text) noexcept {
  if (text.size() < 8) {
    return MediaFormat::kUnknown;
  }
  const std::string_view type = text.substr(4, 4);
  if (type == "ftyp"sv) {
    const std::string_view brand = text.substr(8, 4);
    for (const std::string_view still : {"avif"sv, "avis"sv, "heic"sv, "heix"sv, "hevc"sv, "heim"sv,
                                         "heis"sv, "mif1"sv, "msf1"sv, "jxl "sv}) {
      if (brand == still) {
        return MediaFormat::kUnknown;
      }
    }
    const bool sound = brand == "M4A "sv || brand == "M4B "sv;
    return sound ? MediaFormat::kM4a : MediaFormat::kMp4;
  }
  for (const std::string_view quicktime : {"moov"sv, "mdat"sv, "wide"sv}) {
    if (type == quicktime) {
      return MediaFormat::kMp4;
    }
  }
  return MediaFormat::kUnknown;
}

/// Other containers, and lists and descriptions that name other files: never opened, whoever sends
/// them.
std::string_view kind_of_other_media(std::string_view text) noexcept {
  struct Reference {
    std::string_view start;
    std::string_view kind;
  };
  constexpr Reference kReferences[] = {
      {"#EXTM3U", "a playlist (HLS, M3U)"},
      {"ffconcat", "a list of files"},
      {"<MPD", "a playlist (DASH)"},
      {"v=0\n", "a session description (SDP)"},
      {"v=0\r\n", "a session description (SDP)"},
      {"[playlist]", "a playlist"},
      {"WEBVTT", "a subtitle file"},
      {"[Script Info]", "a subtitle file"},
      {"1\n00:", "a subtitle file"},
      {"1\r\n00:", "a subtitle file"},
  };
  if (text.starts_with("RIFF"sv)) {
    return text.size() >= 12 && text.substr(8, 4) == "AVI "sv ? "an AVI clip"
                                                              : "a RIFF file of another kind";
  }
  for (const Reference& reference : kReferences) {
    if (text.starts_with(reference.start)) {
      return reference.kind;
    }
  }
  return {};
}

bool is_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

}  // namespace

MediaFormat media_format(std::span<const std::byte> file) noexcept {
  switch (image_format(file)) {
    case ImageFormat::kJpeg: return MediaFormat::kJpeg;
    case ImageFormat::kPng: return MediaFormat::kPng;
    case ImageFormat::kWebp: return MediaFormat::kWebp;
    case ImageFormat::kUnknown: break;
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const std::string_view first4 = text.substr(0, 4);
  if (first4 == "RIFF"sv || first4 == "RF64"sv || first4 == "BW64"sv) {
    const bool wave = text.size() >= 12 && text.substr(8, 4) == "WAVE"sv;
    return wave ? MediaFormat::kWav : MediaFormat::kUnknown;
  }
  if (text.starts_with("GIF87a"sv) || text.starts_with("GIF89a"sv)) {
    return MediaFormat::kGif;
  }
  if (first4 == "fLaC"sv) {
    return MediaFormat::kFlac;
  }
  if (first4 == "OggS"sv) {
    return MediaFormat::kOgg;
  }
  if (first4 == "\x1A\x45\xDF\xA3"sv) {
    return MediaFormat::kMatroska;
  }
  if (is_bmp(text)) {
    return MediaFormat::kBmp;
  }
  if (text.starts_with("ID3"sv) || is_mp3_header(text)) {
    return MediaFormat::kMp3;
  }
  return box_format(text);
}

std::string_view display_name(MediaFormat format) noexcept {
  switch (format) {
    case MediaFormat::kJpeg: return "JPEG";
    case MediaFormat::kPng: return "PNG";
    case MediaFormat::kWebp: return "WebP";
    case MediaFormat::kBmp: return "BMP";
    case MediaFormat::kGif: return "GIF";
    case MediaFormat::kWav: return "WAV";
    case MediaFormat::kFlac: return "FLAC";
    case MediaFormat::kMp3: return "MP3";
    case MediaFormat::kOgg: return "OGG";
    case MediaFormat::kMp4: return "MP4";
    case MediaFormat::kM4a: return "M4A";
    case MediaFormat::kMatroska: return "Matroska or WebM";
    case MediaFormat::kUnknown: break;
  }
  return "unknown";
}

std::string_view decoder_word(MediaFormat format) noexcept {
  switch (format) {
    case MediaFormat::kBmp: return "bmp";
    case MediaFormat::kGif: return "gif";
    case MediaFormat::kWav: return "wav";
    case MediaFormat::kFlac: return "flac";
    case MediaFormat::kMp3: return "mp3";
    case MediaFormat::kOgg: return "ogg";
    case MediaFormat::kMp4:
    case MediaFormat::kM4a: return "mp4";
    case MediaFormat::kMatroska: return "matroska";
    case MediaFormat::kJpeg:
    case MediaFormat::kPng:
    case MediaFormat::kWebp:
    case MediaFormat::kUnknown: break;
  }
  return {};
}

std::string describe_unusable(std::span<const std::byte> file) {
  constexpr std::size_t kLook = 4096;
  const MediaFormat format = media_format(file);
  if (format != MediaFormat::kUnknown) {
    return "this is " + std::string(display_name(format)) + " data";
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()),
                              std::min(file.size(), kLook));
  std::string_view kind = kind_of_other_media(text);
  if (kind.empty()) {
    kind = other_file_kind(file);
  }
  if (!kind.empty()) {
    return "this is " + std::string(kind);
  }
  const std::string start = escape_for_message(text.substr(0, 8));
  return (is_text(text) ? "this is text (" : "this is of no known kind (") +
         std::to_string(file.size()) + " bytes, beginning with '" + start + "')";
}

MediaKind sniff_media(std::span<const std::byte> file) noexcept {
  switch (media_format(file)) {
    case MediaFormat::kJpeg:
    case MediaFormat::kPng:
    case MediaFormat::kWebp:
    case MediaFormat::kBmp:
    case MediaFormat::kGif: return MediaKind::kImage;
    case MediaFormat::kWav:
    case MediaFormat::kFlac:
    case MediaFormat::kMp3:
    case MediaFormat::kOgg:
    case MediaFormat::kM4a: return MediaKind::kAudio;
    case MediaFormat::kMp4:
    case MediaFormat::kMatroska: return MediaKind::kVideo;
    case MediaFormat::kUnknown: break;
  }
  return MediaKind::kUnknown;
}

}  // namespace nolens
