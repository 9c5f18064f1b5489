#include "hub/partial_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include <sys/stat.h>

#include "nolens/error.h"

#include "hub/disk.h"
#include "platform/quoted_path.h"

namespace nolens::hub {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

/// Reads up to `limit` bytes from the beginning into the digest. \return bytes read
std::int64_t digest_file(int descriptor, const std::filesystem::path& path, std::int64_t limit,
                         Digest& digest, const std::function<void()>& heartbeat) {
  std::vector<std::byte> piece(kPiece);
  std::int64_t done = 0;
  while (done < limit) {
    const auto wanted = std::min<std::int64_t>(limit - done, static_cast<std::int64_t>(kPiece));
    const ssize_t count = ::pread(descriptor, piece.data(), static_cast<std::size_t>(wanted),
                                  static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw_disk_error("reading", path, errno);
    }
    if (count == 0) {
      break;
    }
    digest.update(std::span(piece.data(), static_cast<std::size_t>(count)));
    done += count;
    heartbeat();
  }
  return done;
}

}  // namespace

const char* Expected::checksum_name() const {
  return !sha256.empty() ? "sha256" : !git_sha1.empty() ? "git-sha1" : "";
}

std::unique_ptr<Digest> Expected::new_digest() const {
  return sha256.empty() ? make_git_blob_sha1(bytes) : make_sha256();
}

bool Expected::matches(const std::string& digest) const {
  return !has_checksum() || digest == (sha256.empty() ? git_sha1 : sha256);
}

bool file_matches(const std::filesystem::path& path, const Expected& expected,
                  const std::function<void()>& heartbeat) {
  struct stat status = {};
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return false;
  }
  const std::unique_ptr<const int, void (*)(const int*)> closer(
      &descriptor, [](const int* open) { ::close(*open); });
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size != expected.bytes || !expected.has_checksum()) {
    return false;
  }
  const auto digest = expected.new_digest();
  return digest_file(descriptor, path, expected.bytes, *digest, heartbeat) == expected.bytes &&
         expected.matches(digest->finish());
}

PartialFile::PartialFile(std::filesystem::path path, const Expected& expected,
                         const std::function<void()>& heartbeat)
    : path_(std::move(path)), expected_(expected), digest_(expected.new_digest()) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) {
    throw_disk_error("making the file", path_, errno);
  }
  try {
    read_present(heartbeat);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PartialFile::~PartialFile() {
  ::close(descriptor_);
}

void PartialFile::read_present(const std::function<void()>& heartbeat) {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kResource,
                quoted_path(path_) + " is no regular file; remove it and start again");
  }
  if (!expected_.has_checksum() || status.st_size > expected_.bytes) {
    clear();
    return;
  }
  size_ = digest_file(descriptor_, path_, status.st_size, *digest_, heartbeat);
}

void PartialFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      const int error = errno;
      if (error == ENOSPC || error == EDQUOT) {
        throw Error(ErrorCode::kResource,
                    "the disk is full: " + quoted_path(path_) + " needs " +
                        shown_size(expected_.bytes - size_) + " more, free are " +
                        shown_size(free_bytes(path_)) +
                        "; make room and start again, what has arrived is kept");
      }
      throw_disk_error("writing", path_, error);
    }
    const auto written = bytes.first(static_cast<std::size_t>(count));
    digest_->update(written);
    size_ += count;
    bytes = bytes.subspan(written.size());
  }
}

void PartialFile::clear() {
  if (::ftruncate(descriptor_, 0) != 0) {
    throw_disk_error("emptying", path_, errno);
  }
  digest_ = expected_.new_digest();
  size_ = 0;
}

bool PartialFile::is_correct() {
  return is_complete() && expected_.matches(digest_->finish());
}

void PartialFile::move_to(const std::filesystem::path& target) {
  if (::fsync(descriptor_) != 0) {
    throw_disk_error("writing", path_, errno);
  }
  if (::rename(path_.c_str(), target.c_str()) != 0) {
    throw_disk_error("writing", target, errno);
  }
  const int folder = ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    // Some network file systems cannot sync a folder; the file itself is safe by now.
    static_cast<void>(::fsync(folder));
    ::close(folder);
  }
}

void PartialFile::remove() {
  ::unlink(path_.c_str());
}

}  // namespace nolens::hub
