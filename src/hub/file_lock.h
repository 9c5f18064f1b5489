// flock on a file of its own, as Python's filelock does it.
#pragma once

#include <filesystem>
#include <functional>

namespace nolens::hub {

/// Holds the lock until destroyed. The file stays: removing it would let two holders in.
class FileLock {
 public:
  /// \param waiting  called about five times a second while somebody else holds the lock; may throw
  /// \throws Error{kResource} if the file cannot be made. File systems without flock give no lock.
  FileLock(const std::filesystem::path& path, const std::function<void()>& waiting);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace nolens::hub
