// How paths and system errors appear in messages.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>

#include "core/escape.h"

namespace nolens {

/// The path in single quotes, escaped; longer than 400 bytes is cut.
[[nodiscard]] inline std::string quoted_path(const std::filesystem::path& path) {
  constexpr std::size_t kMaxBytes = 400;
  std::string text(1, '\'');
  text += escape_for_message(path.native(), kMaxBytes);
  text += '\'';
  return text;
}

/// "No such file or directory" and the like.
[[nodiscard]] inline std::string errno_text(int error) {
  return std::generic_category().message(error);
}

}  // namespace nolens
