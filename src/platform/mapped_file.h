// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "nolens/error.h"

namespace nolens {

/// Maps a whole regular file. The bytes stay valid for the object's life. An empty file maps to an
/// empty span.
class MappedFile {
 public:
  MappedFile() = default;
  /// \throws Error{code} naming the path if it is missing, unreadable or no regular file.
  MappedFile(const std::filesystem::path& path, ErrorCode code);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Reads a whole regular file of at most `max_bytes`. \throws Error{code}
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes, ErrorCode code);

}  // namespace nolens
