// flock() on a file in the folder; unlike the file's existence it ends with the process that holds
// it.
#include "platform/folder_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <sys/file.h>
#include <sys/stat.h>

#include "platform/atomic_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

/// What the holder wrote: its number and its purpose.
struct Holder {
  std::string process;
  std::string purpose;
};

Holder read_holder(int descriptor) {
  std::array<char, 128> bytes{};
  const ssize_t size = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  std::string line(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  line.resize(std::min(line.find('\n'), line.size()));
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  return {line.substr(0, digits), line.substr(std::min(digits + 1, line.size()))};
}

[[noreturn]] void fail(const std::filesystem::path& folder, int error) {
  throw Error(write_error_code(error),
              "cannot write in the folder " + quoted_path(folder) + ": " + errno_text(error));
}

bool is_linked(int descriptor) {
  struct stat status = {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

}  // namespace

FolderLock::FolderLock(std::filesystem::path file) : file_(std::move(file)), holder_(::getpid()) {}

// Delegates, so that the destructor cleans up when the body throws.
FolderLock::FolderLock(const std::filesystem::path& folder, std::string_view purpose)
    : FolderLock(folder / kFileName) {
  take(folder);
  sign(folder, purpose);
}

FolderLock::~FolderLock() {
  if (descriptor_ < 0) {
    return;
  }
  // Unlinked while it is held: whoever opened it before looks whether it still has a name.
  if (::getpid() == holder_) {
    ::unlink(file_.c_str());
  }
  ::close(descriptor_);
}

void FolderLock::take(const std::filesystem::path& folder) {
  while (true) {
    descriptor_ =
        ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (descriptor_ < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail(folder, errno);
    }
    // Any other failure: a file system without locks, where there is nothing to wait for.
    const bool is_taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    const Holder holder = read_holder(descriptor_);
    if (is_taken) {
      ::close(std::exchange(descriptor_, -1));
      throw Error(ErrorCode::kUsage,
                  quoted_path(folder) + " is being written by " +
                      (holder.process.empty() ? std::string("another process")
                                              : "process " + holder.process + " (" +
                                                    escape_for_message(holder.purpose) + ")") +
                      "; wait until it has ended, or choose another folder");
    }
    if (is_linked(descriptor_)) {
      abandoned_by_ = holder.purpose;
      return;
    }
    ::close(std::exchange(descriptor_, -1));
  }
}

void FolderLock::sign(const std::filesystem::path& folder, std::string_view purpose) {
  const std::string line = std::to_string(holder_) + " " + std::string(purpose) + "\n";
  ssize_t written = -1;
  do {
    written = ::write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0 || ::ftruncate(descriptor_, static_cast<off_t>(line.size())) != 0) {
    fail(folder, errno);
  }
}

}  // namespace nolens
