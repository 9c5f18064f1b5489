// One system call of a traced program, in words: which file it touches and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <linux/seccomp.h>
#include <sys/types.h>

namespace nolens::faults {

/// What the log says about a call. Several system calls share a kind: `write` is also pwritev.
struct TracedCall {
  std::string kind;  ///< create, open, write, truncate, sync, rename, unlink, mkdir, rmdir, ...
  std::string path;  ///< absolute, lexically normal
  std::string detail = "-";   ///< rename, link: the other path; create: flags
  int descriptor = -1;        ///< write only: number in the traced program
  std::uint64_t address = 0;  ///< write only: its bytes in the traced program
  std::size_t size = 0;
};

/// Numbers of the calls that the filter must report.
const std::vector<unsigned>& traced_call_numbers();

/// Reads paths from the memory of the program, which waits meanwhile.
TracedCall describe(const seccomp_notif& notification);

/// `size` bytes of a program's memory; fewer where they cannot be read.
std::string read_memory(pid_t process, std::uint64_t address, std::size_t size);

}  // namespace nolens::faults
