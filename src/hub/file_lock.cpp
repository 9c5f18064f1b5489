#include "hub/file_lock.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

#include "hub/disk.h"

namespace nolens::hub {
namespace {

constexpr std::chrono::milliseconds kPatience{200};
// huggingface_hub makes lock files group-writable, for caches shared by a group.
constexpr mode_t kMode = 0664;

/// Some versions of filelock remove the file when they let go: then this is a lock on nothing.
bool is_at(int descriptor, const std::filesystem::path& path) {
  struct stat held = {};
  struct stat named = {};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, const std::function<void()>& waiting) {
  while (true) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (descriptor_ < 0) {
      throw_disk_error("making the lock file", path, errno);
    }
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        return;  // no flock here (some network file systems); the checksum protects the file
      }
      try {
        waiting();
      } catch (...) {
        ::close(descriptor_);
        throw;
      }
      std::this_thread::sleep_for(kPatience);
    }
    if (is_at(descriptor_, path)) {
      return;
    }
    ::close(descriptor_);
  }
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace nolens::hub
