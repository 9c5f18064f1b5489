// Write protocol: temporary file in the same folder, fsync, rename, fsync of the folder. A killed
// writer leaves a temporary file behind; the next writer of the same target removes it.
#include "platform/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/file.h>
#include <sys/stat.h>

#include "core/check.h"
#include "platform/list_folder.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

constexpr int kMaxNameTries = 100;
constexpr std::string_view kTemporarySuffix = ".tmp";

std::filesystem::path folder_of(const std::filesystem::path& target) {
  return target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
}

std::string temporary_prefix(const std::filesystem::path& target) {
  return "." + target.filename().native() + ".";
}

bool is_linked(int descriptor) {
  struct stat status = {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

/// Whoever writes a temporary file holds a lock on it, so an unlocked one belongs to nobody alive.
void remove_abandoned(const std::filesystem::path& target) {
  const std::string prefix = temporary_prefix(target);
  int ignored = 0;
  for (const std::string& name : list_folder(folder_of(target), ignored)) {
    if (!name.starts_with(prefix) || !name.ends_with(kTemporarySuffix) ||
        name.size() == prefix.size() + kTemporarySuffix.size()) {
      continue;
    }
    const std::filesystem::path file = folder_of(target) / name;
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) {
      continue;
    }
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
      ::unlink(file.c_str());
    }
    ::close(descriptor);
  }
}

/// An interrupted fsync() wrote nothing wrong and may be repeated; after any other failure the
/// kernel may have dropped the data, and a second call would wrongly succeed.
bool sync_descriptor(int descriptor) {
  int result = 0;
  do {
    result = ::fsync(descriptor);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

/// 0 or an errno value. On Linux an interrupted close() has closed the file.
int close_descriptor(int descriptor) {
  return ::close(descriptor) == 0 || errno == EINTR ? 0 : errno;
}

/// 0 or an errno value. Some network file systems cannot sync a folder and say so with EINVAL.
int sync_folder_error(const std::filesystem::path& folder) {
  int descriptor = -1;
  do {
    descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    return errno;
  }
  const int error = sync_descriptor(descriptor) || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  return error;
}

void check_target(const std::filesystem::path& target) {
  if (target.filename().empty() || target.native().find('\0') != std::string::npos) {
    throw Error(ErrorCode::kUsage,
                "cannot write " + quoted_path(target) + ": this is no file name");
  }
  struct stat status = {};
  const auto folder = folder_of(target);
  if (::stat(folder.c_str(), &status) != 0) {
    throw Error(ErrorCode::kUsage, "cannot write " + quoted_path(target) + ": folder " +
                                       quoted_path(folder) + ": " + errno_text(errno));
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::kUsage, "cannot write " + quoted_path(target) + ": " +
                                       quoted_path(folder) + " is no folder");
  }
  if (::stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kUsage, "cannot write " + quoted_path(target) +
                                       ": it exists and is no regular file; name another file");
  }
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  check_target(target_);
  remove_abandoned(target_);
  static std::atomic<unsigned> counter{0};
  for (int i = 0; i < kMaxNameTries; ++i) {
    temporary_ =
        folder_of(target_) / (temporary_prefix(target_) + std::to_string(::getpid()) + "-" +
                              std::to_string(counter.fetch_add(1)) + std::string(kTemporarySuffix));
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      const int error = errno;
      if (error == EEXIST || error == EINTR) {
        continue;
      }
      throw Error(write_error_code(error),
                  "cannot write " + quoted_path(target_) + ": " + errno_text(error));
    }
    // A cleaner may have taken the file between open and flock.
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 ? is_linked(descriptor_)
                                                     : errno != EWOULDBLOCK) {
      return;
    }
    ::close(std::exchange(descriptor_, -1));
  }
  throw Error(ErrorCode::kResource,
              "cannot write " + quoted_path(target_) + ": no free temporary name in its folder");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::unlink(temporary_.c_str());
    ::close(descriptor_);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  NOLENS_CHECK(descriptor_ >= 0);
  while (!bytes.empty()) {
    // The kernel takes at most about 2 GiB at once and may take less: the loop carries on.
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw Error(ErrorCode::kResource, "writing " + quoted_path(target_) +
                                            " failed: " + errno_text(errno) +
                                            "; the previous file, if any, is unchanged");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
  const auto fail = [&](const char* step, int error) {
    throw Error(ErrorCode::kResource, "writing " + quoted_path(target_) + " failed in " + step +
                                          ": " + errno_text(error) +
                                          "; the previous file, if any, is unchanged");
  };
  NOLENS_CHECK(descriptor_ >= 0);
  if (!sync_descriptor(descriptor_)) {
    fail("fsync", errno);
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail("rename", errno);
  }
  // Renamed: the destructor has nothing left to remove.
  const int descriptor = std::exchange(descriptor_, -1);
  const int close_error = close_descriptor(descriptor);
  const int folder_error = sync_folder_error(folder_of(target_));
  const int error = close_error != 0 ? close_error : folder_error;
  if (error != 0) {
    throw Error(ErrorCode::kResource, quoted_path(target_) +
                                          " was replaced, but its folder could not be "
                                          "made durable: " +
                                          errno_text(error));
  }
}

ErrorCode write_error_code(int error) noexcept {
  const bool resource = error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE ||
                        error == EIO || error == ENOMEM;
  return resource ? ErrorCode::kResource : ErrorCode::kUsage;
}

void sync_folder(const std::filesystem::path& folder) {
  if (const int error = sync_folder_error(folder); error != 0) {
    throw Error(ErrorCode::kResource,
                "cannot make the folder " + quoted_path(folder) + " durable: " + errno_text(error));
  }
}

void create_folders(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> missing;
  std::error_code error;
  for (auto path = folder.has_filename() ? folder : folder.parent_path();
       !path.empty() && !std::filesystem::is_directory(path, error); path = path.parent_path()) {
    missing.push_back(path);
  }
  for (; !missing.empty(); missing.pop_back()) {
    const std::filesystem::path& path = missing.back();
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
      const int mkdir_error = errno;
      throw Error(write_error_code(mkdir_error),
                  "cannot make the folder " + quoted_path(path) + ": " + errno_text(mkdir_error));
    }
    if (!std::filesystem::is_directory(path, error)) {
      throw Error(ErrorCode::kUsage, quoted_path(path) + " is no folder; name another one");
    }
    sync_folder(folder_of(path));
  }
}

void write_file_atomically(const std::filesystem::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

}  // namespace nolens
