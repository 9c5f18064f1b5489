// The walls in the order in which they can be built: the filter comes last, as it forbids building.
#include "sandbox.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "media/media_wire.h"

namespace nolens::media_app {
namespace {

void tie_to_parent(pid_t parent) {
  if (parent == 0) {
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {  // it ended before the line above
    ::_exit(0);
  }
}

/// Address space in use, from /proc; where that is not mounted, a guess on the safe side for the
/// libraries.
std::int64_t mapped_bytes() {
  constexpr std::int64_t kGuess = std::int64_t{768} << 20;
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return kGuess;
  }
  char text[64] = {};
  const ssize_t got = ::read(file, text, sizeof(text) - 1);
  ::close(file);
  std::int64_t pages = 0;
  for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9' && pages < (1LL << 40); ++i) {
    pages = pages * 10 + (text[i] - '0');
  }
  return pages > 0 ? pages * ::sysconf(_SC_PAGESIZE) : kGuess;
}

void close_range_or_all(unsigned first, unsigned last) {
#ifdef SYS_close_range
  if (::syscall(SYS_close_range, first, last, 0) == 0) {
    return;
  }
#endif
  const auto most = static_cast<unsigned>(::sysconf(_SC_OPEN_MAX));
  for (unsigned number = first; number <= last && number < most; ++number) {
    ::close(static_cast<int>(number));
  }
}

void close_all_but(int output) {
  const auto kept = static_cast<unsigned>(output);
  if (kept > 0) {
    close_range_or_all(0, kept - 1);
  }
  close_range_or_all(kept + 1, ~0U);
}

bool drop_capabilities() {
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

/// A rule set without rules: whatever kind of access the kernel knows is denied. The numbers are
/// the kernel's (Documentation/userspace-api/landlock.rst); the headers of a distribution may be
/// older.
bool forbid_files() {
  constexpr long kCreateRuleset = 444;
  constexpr long kRestrictSelf = 446;
  constexpr std::uint32_t kAskVersion = 1;
  struct Ruleset {
    std::uint64_t files;
    std::uint64_t network;
    std::uint64_t scopes;
  };
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  if (version < 1) {
    return false;
  }
  // Rights that came with version 1 … 5: 13, then refer, truncate, (4: network), ioctl.
  constexpr unsigned kFileRights[] = {13, 14, 15, 15, 16};
  const unsigned rights = kFileRights[version > 5 ? 4 : version - 1];
  const Ruleset rules{(std::uint64_t{1} << rights) - 1, version >= 4 ? 3U : 0U,
                      version >= 6 ? 3U : 0U};
  const std::size_t size = version >= 6   ? sizeof(Ruleset)
                           : version >= 4 ? offsetof(Ruleset, scopes)
                                          : offsetof(Ruleset, network);
  const long ruleset = ::syscall(kCreateRuleset, &rules, size, 0);
  if (ruleset < 0) {
    return false;
  }
  const bool closed = ::syscall(kRestrictSelf, ruleset, 0) == 0;
  ::close(static_cast<int>(ruleset));
  return closed;
}

bool limit(__rlimit_resource resource, std::int64_t soft, std::int64_t hard) {
  const rlimit value{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  if (::setrlimit(resource, &value) == 0) {
    return true;
  }
  // A stricter limit is in force already.
  rlimit now{};
  return ::getrlimit(resource, &now) == 0 && now.rlim_cur <= value.rlim_cur;
}

bool set_limits(const SandboxOptions& options, std::int64_t mapped) {
  constexpr std::int64_t kMost = std::int64_t{1} << 60;  // of each summand
  const std::int64_t memory = std::min(mapped, kMost) + std::min(options.memory_bytes, kMost);
  bool all = limit(RLIMIT_AS, memory, memory);
  all &= limit(RLIMIT_CPU, options.cpu_seconds, options.cpu_seconds + 1);
  all &= limit(RLIMIT_CORE, 0, 0);
  all &= limit(RLIMIT_FSIZE, 0, 0);
  all &= limit(RLIMIT_NPROC, 0, 0);
  all &= limit(RLIMIT_NOFILE, 0, 0);
  all &= limit(RLIMIT_MEMLOCK, 0, 0);
  return all;
}

}  // namespace

std::uint32_t enter_sandbox(const SandboxOptions& options) {
  tie_to_parent(options.parent);
  const std::int64_t mapped = mapped_bytes();
  std::uint32_t walls = 0;
  const auto build = [&walls](std::uint32_t wall, bool stands) { walls |= stands ? wall : 0; };

  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  build(wire::kNoNewPrivileges, ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  close_all_but(options.output);
  build(wire::kFileRules, forbid_files());
  build(wire::kNoCapabilities, drop_capabilities());
  build(wire::kLimits, set_limits(options, mapped));
  if (options.filter_calls) {
    build(wire::kSystemCallFilter, filter_system_calls(options.output));
  }
  return walls;
}

}  // namespace nolens::media_app
