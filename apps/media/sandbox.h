// Takes every right from the process that it does not need for computing. Linux, x86-64 and
// aarch64.
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace nolens::media_app {

struct SandboxOptions {
  int output = 1;                 ///< the only descriptor that stays open, for write()
  std::int64_t memory_bytes = 0;  ///< address space beyond what is mapped when the sandbox closes
  std::int64_t cpu_seconds = 0;   ///< of the whole process
  pid_t parent = 0;               ///< the process ends with it; 0: not asked for
  bool filter_calls = true;       ///< false only in tests, to see the other walls stand alone
};

/// Closes all descriptors but one, gives up capabilities and future privileges, forbids all files
/// (Landlock, where the kernel has it), limits memory and time, and last puts a filter over system
/// calls: what is not on its short list kills the process. Nothing can open it again. Returns the
/// protections in force, as bits of wire::Hello::protections.
std::uint32_t enter_sandbox(const SandboxOptions& options);

/// The filter alone. False if the kernel refuses it.
bool filter_system_calls(int output);

}  // namespace nolens::media_app
