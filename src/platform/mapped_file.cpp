// Maps files, and reads small ones whole.
#include "platform/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>

#include "core/huge_pages.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

/// An open regular file and its size.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, ErrorCode code) {
    if (path.native().find('\0') != std::string::npos) {
      throw Error(code, "file name " + quoted_path(path) + " contains a NUL byte");
    }
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    do {
      descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) {
      throw Error(code, "cannot open " + quoted_path(path) + ": " + errno_text(errno));
    }
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) {
      const int error = errno;
      ::close(descriptor_);
      throw Error(code, "cannot read " + quoted_path(path) + ": " + errno_text(error));
    }
    if (!S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      throw Error(code, quoted_path(path) + " is " +
                            (S_ISDIR(status.st_mode) ? "a directory" : "no regular file") +
                            ", expected a file");
    }
    size_ = static_cast<std::size_t>(status.st_size);
  }
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, ErrorCode code) : path_(path) {
  const OpenFile file(path, code);
  if (file.size() == 0) {
    return;
  }
  void* address =
      ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.descriptor(), /*offset=*/0);
  if (address == MAP_FAILED) {  // NOLINT: the macro is a C-style cast
    const int error = errno;
    throw Error(error == ENOMEM ? ErrorCode::kResource : code,
                "cannot map " + quoted_path(path) + " (" + std::to_string(file.size()) +
                    " bytes): " + errno_text(error));
  }
  data_ = static_cast<const std::byte*>(address);
  size_ = file.size();
  // What is not in the page cache yet comes there in huge pages, where the file system has them (ext4
  // since Linux 6.16, XFS since 5.18): weights are read in streams of gigabytes.
  if (size_ >= kHugePageThreshold) {
    prefer_huge_pages(address, size_);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes, ErrorCode code) {
  const OpenFile file(path, code);
  const auto too_big = [&](std::size_t bytes) {
    return Error(code, quoted_path(path) + " has " + std::to_string(bytes) +
                           " bytes or more, at most " + std::to_string(max_bytes) +
                           " are accepted");
  };
  if (file.size() > max_bytes) {
    throw too_big(file.size());
  }
  std::string content(file.size(), '\0');
  std::size_t done = 0;
  // The file may grow or shrink while it is read: what counts is the end that read() reports.
  while (true) {
    if (done == content.size()) {
      if (done > max_bytes) {
        throw too_big(done);
      }
      content.resize(done + 4096);
    }
    const ssize_t got = ::read(file.descriptor(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw Error(code, "cannot read " + quoted_path(path) + ": " + errno_text(errno));
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  if (done > max_bytes) {
    throw too_big(done);
  }
  content.resize(done);
  return content;
}

}  // namespace nolens
