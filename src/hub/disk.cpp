#include "hub/disk.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <limits>
#include <system_error>
#include <unistd.h>

#include <sys/statvfs.h>

#include "nolens/error.h"

#include "platform/quoted_path.h"

namespace nolens::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLine = 4096;
constexpr std::string_view kCacheTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag. See https://bford.info/cachedir/\n";

std::string remedy(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS: return "; name a folder that can be written in HF_HUB_CACHE or with --out";
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "; make room and start again, what has arrived is kept";
    default: return "";
  }
}

fs::path temporary_beside(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  fs::path temporary = path;
  temporary +=
      "." + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1)) + ".tmp";
  return temporary;
}

}  // namespace

void throw_disk_error(const std::string& step, const fs::path& path, int error) {
  throw Error(ErrorCode::kResource,
              step + " " + quoted_path(path) + " failed: " + errno_text(error) + remedy(error));
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw_disk_error("making the folder", folder, error.value());
  }
}

std::int64_t free_bytes(const fs::path& path) {
  std::error_code error;
  fs::path existing = fs::absolute(path, error);
  while (existing.has_relative_path() && !fs::exists(existing, error)) {
    existing = existing.parent_path();
  }
  struct statvfs info = {};
  if (::statvfs(existing.c_str(), &info) != 0) {
    return std::numeric_limits<std::int64_t>::max();
  }
  const double bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  return bytes < 9e18 ? static_cast<std::int64_t>(bytes) : std::numeric_limits<std::int64_t>::max();
}

std::string shown_size(std::int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  const std::string exact = std::to_string(bytes) + " bytes";
  if (unit == 0) {
    return exact;
  }
  std::array<char, 32> text{};  // to_chars, because printf asks the locale for its comma
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 1);
  return std::string(text.data(), end.ptr) + " " + kUnits[unit] + " (" + exact + ")";
}

void replace_text_file(const fs::path& path, std::string_view text) {
  std::error_code error;
  if (fs::file_size(path, error) == text.size() && !error) {
    std::ifstream file(path, std::ios::binary);
    std::string present(text.size(), '\0');
    if (file.read(present.data(), static_cast<std::streamsize>(present.size())) &&
        present == text) {
      return;
    }
  }
  make_folders(path.parent_path());
  const fs::path temporary = temporary_beside(path);
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush()) {
      const int reason = errno;
      fs::remove(temporary, error);
      throw_disk_error("writing", path, reason);
    }
  }
  fs::rename(temporary, path, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw_disk_error("writing", path, error.value());
  }
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxLine, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text.substr(0, text.find_first_of("\r\n"));
}

bool replace_link(const fs::path& link, const fs::path& target) {
  std::error_code error;
  if (fs::read_symlink(link, error) == target && !error) {
    return true;
  }
  const fs::path temporary = temporary_beside(link);
  fs::create_symlink(target, temporary, error);
  if (error == std::errc::operation_not_permitted || error == std::errc::not_supported ||
      error == std::errc::function_not_supported) {
    return false;
  }
  if (!error) {
    fs::rename(temporary, link, error);
  }
  if (error) {
    const int reason = error.value();
    fs::remove(temporary, error);
    throw_disk_error("making the link", link, reason);
  }
  return true;
}

void tag_as_cache(const fs::path& folder) {
  const fs::path tag = folder / "CACHEDIR.TAG";
  std::error_code error;
  if (!fs::exists(tag, error)) {
    std::ofstream file(tag, std::ios::binary);
    file << kCacheTag;
  }
}

}  // namespace nolens::hub
