// Pipes and sealed memory.
#include "platform/descriptor.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <sys/mman.h>

#include "nolens/error.h"

#include "platform/quoted_path.h"

namespace nolens {
namespace {

/// MFD_NOEXEC_SEAL of Linux 6.3, which older headers lack.
constexpr unsigned kNoExecSeal = 0x8;
constexpr char kName[] = "nolens-media-input";

int open_memory() {
  const int descriptor = ::memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal);
  if (descriptor >= 0 || errno != EINVAL) {
    return descriptor;
  }
  return ::memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

void write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      throw Error(ErrorCode::kResource, "cannot copy " + std::to_string(bytes.size()) +
                                            " bytes of media into shared memory: " +
                                            errno_text(written < 0 ? errno : ENOSPC));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

void Descriptor::reset() noexcept {
  if (number_ >= 0) {
    ::close(number_);  // also after EINTR it is closed (Linux)
    number_ = -1;
  }
}

Pipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw Error(ErrorCode::kResource,
                "cannot make a pipe to a child process: " + errno_text(errno));
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor sealed_memory(std::span<const std::byte> bytes) {
  Descriptor memory(open_memory());
  if (memory.number() < 0) {
    throw Error(ErrorCode::kResource,
                "cannot make shared memory for a child process: " + errno_text(errno));
  }
  write_all(memory.number(), bytes);
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(memory.number(), F_ADD_SEALS, kSeals) != 0 ||
      ::lseek(memory.number(), 0, SEEK_SET) != 0) {
    throw Error(ErrorCode::kResource, "cannot seal shared memory: " + errno_text(errno));
  }
  return memory;
}

}  // namespace nolens
