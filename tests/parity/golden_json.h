// Reads tests/golden/<folder>/case.json and its small files; the hash that the cases use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "nolens/media.h"

#include "formats/json.h"
#include "platform/mapped_file.h"

namespace nolens::testing {

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / name;
}

inline Json golden_json(const std::string& folder) {
  const std::string text =
      read_file(golden_folder(folder) / "case.json", std::size_t{16} << 20U, ErrorCode::kInput);
  return parse_json(text, folder + "/case.json", ErrorCode::kInput);
}

inline Image golden_image(const std::filesystem::path& file) {
  const std::string bytes = read_file(file, std::size_t{16} << 20U, ErrorCode::kInput);
  return Image::decode(std::as_bytes(std::span(bytes)), file.filename().string());
}

/// FNV-1a, 64 bits, as 16 hexadecimal digits.
inline std::string fnv1a64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0xCBF29CE484222325U;
  for (const std::byte byte : bytes) {
    value = (value ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) {
    text[i] = kDigits[value & 15U];
  }
  return text;
}

}  // namespace nolens::testing
