// One writer at a time for a folder.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace nolens {

/// Held for as long as a process writes a folder. The lock is a file in the folder that names its
/// holder; it goes away with the object, and the system releases it when the holder is killed.
class FolderLock {
 public:
  /// The lock's file. A folder that holds nothing else counts as empty.
  static constexpr std::string_view kFileName = ".nolens.lock";

  /// `folder` exists. `purpose`: who writes, such as "nolens synth".
  /// \throws Error{kUsage} naming the process that holds it, Error{kResource} if the disk fails.
  FolderLock(const std::filesystem::path& folder, std::string_view purpose);
  /// Does nothing in a process forked by the holder.
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Purpose of a holder that was killed and left its lock behind; empty if there was none.
  [[nodiscard]] const std::string& abandoned_by() const noexcept { return abandoned_by_; }

 private:
  explicit FolderLock(std::filesystem::path file);
  void take(const std::filesystem::path& folder);
  void sign(const std::filesystem::path& folder, std::string_view purpose);

  std::filesystem::path file_;
  pid_t holder_;
  int descriptor_ = -1;
  std::string abandoned_by_;
};

}  // namespace nolens
