#include "files.h"

#include <algorithm>
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

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::kInput, quoted_path(path) + ": " + what);
}

bool is_sound_or_film(const fs::path& path) {
  static constexpr std::array<std::string_view, 14> kExtensions = {
      ".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac",
      ".mp4", ".mov", ".mkv",  ".avi", ".webm", ".mpg", ".mpeg"};
  return std::find(kExtensions.begin(), kExtensions.end(), path.extension()) != kExtensions.end();
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

ImagePart read_picture(const std::string& path, const ImageLimits& limits, AlphaMode alpha) {
  if (path.starts_with("http://") || path.starts_with("https://")) {
    fail(path, "pictures are not fetched from the network; download it and name the file");
  }
  const std::string bytes = read_input_file(path, kMaxDocumentBytes);
  if (is_sound_or_film(path)) {
    fail(path, "sound and films come with a later version; pictures are JPEG, PNG or WebP");
  }
  return {Image::decode(std::as_bytes(std::span(bytes)), quoted_path(path), limits, alpha),
          quoted_path(path), 0};
}

std::vector<Message> read_messages_file(const std::string& path, const ImageLimits& limits,
                                        AlphaMode alpha) {
  if (path == "-") {
    return parse_messages(read_stdin(kMaxDocumentBytes), ".", limits, alpha);
  }
  const fs::path folder = fs::path(path).parent_path();
  return parse_messages(read_input_file(path, kMaxDocumentBytes),
                        folder.empty() ? fs::path(".") : folder, limits, alpha);
}

}  // namespace nolens::cli
