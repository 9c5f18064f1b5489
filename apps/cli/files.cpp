#include "files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <span>
#include <system_error>

#include "nolens/error.h"

#include "interrupt.h"

namespace nolens::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDocumentBytes = std::size_t{128} << 20U;
constexpr std::size_t kMaxMediaBytes = std::size_t{1} << 30U;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::kInput, quoted_path(path) + ": " + what);
}

/// The bytes of a media file. \throws Error{kInput}
std::string read_media_file(const std::string& path) {
  if (path.starts_with("http://") || path.starts_with("https://")) {
    fail(path, "media are not fetched from the network; download the file and name it");
  }
  return read_input_file(path, kMaxMediaBytes);
}

}  // namespace

std::string quoted_path(const fs::path& path) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string result = "'";
  for (const char letter : path.string()) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte == 0x7F) {
      result += "\\x";
      result += kHex[byte >> 4U];
      result += kHex[byte & 15U];
    } else {
      result += letter;
    }
  }
  result += "'";
  return result;
}

std::string read_input_file(const fs::path& path, std::size_t max_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    fail(path, "no such file");
  }
  if (error) {
    fail(path, error.message());
  }
  if (status.type() == fs::file_type::directory) {
    fail(path, "is a folder, expected a file");
  }
  if (status.type() != fs::file_type::regular) {
    fail(path, "is no regular file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fail(path, "cannot be opened: " + std::generic_category().message(errno));
  }
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size > max_bytes) {
    fail(path, "is larger than " + std::to_string(max_bytes) + " bytes");
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(file.gcount()) != size) {
    fail(path, "could not be read to its end");
  }
  return bytes;
}

std::string read_stdin(std::size_t max_bytes) {
  std::string text;
  std::array<char, 65'536> block{};
  while (std::cin.read(block.data(), block.size()) || std::cin.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > max_bytes) {
      throw Error(ErrorCode::kInput,
                  "standard input is longer than " + std::to_string(max_bytes) + " bytes");
    }
  }
  check_signal();
  return text;
}

ImagePart read_picture(const std::string& path, const MediaOptions& options) {
  const std::string bytes = read_media_file(path);
  return {decode_image(std::as_bytes(std::span(bytes)), quoted_path(path), options),
          quoted_path(path), 0};
}

AudioPart read_audio(const std::string& path, const MediaOptions& options) {
  const std::string bytes = read_media_file(path);
  return {decode_audio(std::as_bytes(std::span(bytes)), quoted_path(path), options),
          quoted_path(path)};
}

VideoPart read_video(const std::string& path, const MediaOptions& options) {
  const std::string bytes = read_media_file(path);
  return {decode_video(std::as_bytes(std::span(bytes)), quoted_path(path), options.video_frames,
                       options),
          quoted_path(path), 0};
}

ContentPart read_media(const std::string& path, const MediaOptions& options) {
  const std::string bytes = read_media_file(path);
  const std::span<const std::byte> file = std::as_bytes(std::span(bytes));
  const std::string name = quoted_path(path);
  switch (sniff_media(file)) {
    case MediaKind::kAudio: return AudioPart{decode_audio(file, name, options), name};
    case MediaKind::kVideo:
      return VideoPart{decode_video(file, name, options.video_frames, options), name, 0};
    case MediaKind::kImage:
    case MediaKind::kUnknown: break;  // decode_image() says what an unknown file is not
  }
  return ImagePart{decode_image(file, name, options), name, 0};
}

std::vector<Message> read_messages_file(const std::string& path, const MediaOptions& options) {
  if (path == "-") {
    return parse_messages(read_stdin(kMaxDocumentBytes), ".", options);
  }
  const fs::path folder = fs::path(path).parent_path();
  return parse_messages(read_input_file(path, kMaxDocumentBytes),
                        folder.empty() ? fs::path(".") : folder, options);
}

}  // namespace nolens::cli
