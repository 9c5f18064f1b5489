// Writes files that are either complete or absent.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "nolens/error.h"

namespace nolens {

/// Writes to a temporary name in the target's folder; commit() syncs, renames and syncs the folder.
/// Without commit() the destructor removes the temporary file and the old file stays.
class AtomicFile {
 public:
  /// \throws Error{kUsage} if the folder is missing or cannot be written.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// \throws Error{kResource} when the disk is full or fails.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Whose fault a failed write is: kResource for a full or failing disk and the like, else kUsage.
[[nodiscard]] ErrorCode write_error_code(int error) noexcept;

/// Makes names in the folder durable: those given by rename() and mkdir(). \throws Error{kResource}
void sync_folder(const std::filesystem::path& folder);

/// Makes the folder and those above it that are missing, durably. \throws Error{kUsage, kResource}
void create_folders(const std::filesystem::path& folder);

/// One call for small files.
void write_file_atomically(const std::filesystem::path& target, std::string_view text);

}  // namespace nolens
