#include "traced_call.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>

namespace nolens::faults {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kMaxPathBytes = 2 * kPageBytes;

std::string link_target(pid_t process, const std::string& name) {
  std::error_code error;
  return fs::read_symlink("/proc/" + std::to_string(process) + "/" + name, error).string();
}

/// Page by page, because the page behind the string's end need not exist.
std::string read_string(pid_t process, std::uint64_t address) {
  std::string text;
  while (text.size() < kMaxPathBytes) {
    const std::string part = read_memory(process, address, kPageBytes - address % kPageBytes);
    const std::size_t end = std::min(part.find('\0'), part.size());
    text.append(part, 0, end);
    if (end < part.size() || part.empty()) {
      break;
    }
    address += part.size();
  }
  return text;
}

template <typename T>
T read_object(pid_t process, std::uint64_t address) {
  T object{};
  const std::string bytes = read_memory(process, address, sizeof(T));
  std::memcpy(&object, bytes.data(), bytes.size());
  return object;
}

class Describer {
 public:
  explicit Describer(const seccomp_notif& notification)
      : pid_(static_cast<pid_t>(notification.pid)), args_(notification.data.args) {}

  TracedCall by_descriptor(const char* kind, int position) const {
    TracedCall call{kind, descriptor_path(number(position))};
    call.descriptor = number(position);
    return call;
  }
  TracedCall by_path(const char* kind, int position) const {
    return {kind, absolute(AT_FDCWD, position)};
  }
  TracedCall by_path_at(const char* kind, int position) const {
    return {kind, absolute(number(position), position + 1)};
  }
  TracedCall two_paths(const char* kind, int first, int second) const {
    return {kind, absolute(AT_FDCWD, first), absolute(AT_FDCWD, second)};
  }
  TracedCall two_paths_at(const char* kind, int first, int second) const {
    return {kind, absolute(number(first), first + 1), absolute(number(second), second + 1)};
  }
  TracedCall opening(TracedCall call, std::uint64_t flags) const {
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    call.kind = writes ? "create" : "open";
    call.detail = std::string((flags & O_CREAT) != 0 ? "creat" : "-") +
                  ((flags & O_TRUNC) != 0 ? ",trunc" : "") + ((flags & O_EXCL) != 0 ? ",excl" : "");
    return call;
  }
  TracedCall open_how() const {
    return opening(by_path_at("open", 0), read_object<open_how_>(pid_, args_[2]).flags);
  }
  TracedCall write() const {
    TracedCall call = by_descriptor("write", 0);
    call.address = args_[1];
    call.size = args_[2];
    return call;
  }
  /// Of several pieces the first one stands for all: enough for a short write.
  TracedCall write_pieces() const {
    TracedCall call = by_descriptor("write", 0);
    const auto piece = read_object<iovec>(pid_, args_[1]);
    call.address = reinterpret_cast<std::uint64_t>(piece.iov_base);
    call.size = piece.iov_len;
    call.detail = "pieces";
    return call;
  }
  [[nodiscard]] std::uint64_t argument(int position) const { return args_[position]; }

 private:
  using open_how_ = ::open_how;

  [[nodiscard]] int number(int position) const { return static_cast<int>(args_[position]); }
  [[nodiscard]] std::string descriptor_path(int descriptor) const {
    return link_target(pid_, "fd/" + std::to_string(descriptor));
  }
  [[nodiscard]] std::string absolute(int folder, int position) const {
    const fs::path path = read_string(pid_, args_[position]);
    if (path.is_absolute()) {
      return path.lexically_normal().string();
    }
    const fs::path base = folder == AT_FDCWD ? link_target(pid_, "cwd") : descriptor_path(folder);
    return (base / path).lexically_normal().string();
  }

  pid_t pid_;
  const __u64* args_;
};

}  // namespace

std::string read_memory(pid_t process, std::uint64_t address, std::size_t size) {
  std::string bytes(size, '\0');
  const iovec local{bytes.data(), bytes.size()};
  const iovec remote{reinterpret_cast<void*>(address), size};
  const ssize_t done = process_vm_readv(process, &local, 1, &remote, 1, 0);
  bytes.resize(done < 0 ? 0 : static_cast<std::size_t>(done));
  return bytes;
}

const std::vector<unsigned>& traced_call_numbers() {
  static const std::vector<unsigned> numbers = {
#ifdef SYS_open  // systems older than the *at() calls
      SYS_open,     SYS_creat,     SYS_rename,   SYS_unlink,          SYS_rmdir,
      SYS_mkdir,    SYS_link,      SYS_symlink,
#endif
#ifdef SYS_renameat
      SYS_renameat,
#endif
      SYS_openat,   SYS_openat2,   SYS_write,    SYS_pwrite64,        SYS_writev,
      SYS_pwritev,  SYS_pwritev2,  SYS_sendfile, SYS_copy_file_range, SYS_ftruncate,
      SYS_truncate, SYS_fallocate, SYS_fsync,    SYS_fdatasync,       SYS_renameat2,
      SYS_unlinkat, SYS_mkdirat,   SYS_linkat,   SYS_symlinkat,       SYS_flock,
      SYS_close};
  return numbers;
}

TracedCall describe(const seccomp_notif& notification) {
  const Describer call(notification);
  switch (notification.data.nr) {
#ifdef SYS_open
    case SYS_open: return call.opening(call.by_path("open", 0), call.argument(1));
    case SYS_creat: return call.opening(call.by_path("open", 0), O_CREAT | O_TRUNC);
    case SYS_rename: return call.two_paths("rename", 0, 1);
    case SYS_unlink: return call.by_path("unlink", 0);
    case SYS_rmdir: return call.by_path("rmdir", 0);
    case SYS_mkdir: return call.by_path("mkdir", 0);
    case SYS_link: return call.two_paths("link", 0, 1);
    case SYS_symlink: return call.by_path("link", 1);
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2: return call.two_paths_at("rename", 0, 2);
    case SYS_openat: return call.opening(call.by_path_at("open", 0), call.argument(2));
    case SYS_openat2: return call.open_how();
    case SYS_write: return call.write();
    case SYS_writev: return call.write_pieces();
    case SYS_copy_file_range: return call.by_descriptor("write-elsewhere", 2);
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendfile: return call.by_descriptor("write-elsewhere", 0);
    case SYS_truncate: return call.by_path("truncate", 0);
    case SYS_ftruncate:
    case SYS_fallocate: return call.by_descriptor("truncate", 0);
    case SYS_fsync:
    case SYS_fdatasync: return call.by_descriptor("sync", 0);
    case SYS_unlinkat:
      return call.by_path_at((call.argument(2) & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", 0);
    case SYS_mkdirat: return call.by_path_at("mkdir", 0);
    case SYS_linkat: return call.two_paths_at("link", 0, 2);
    case SYS_symlinkat: return call.by_path_at("link", 1);
    case SYS_flock: return call.by_descriptor("lock", 0);
    case SYS_close: return call.by_descriptor("close", 0);
    default: return {"other", ""};
  }
}

}  // namespace nolens::faults
