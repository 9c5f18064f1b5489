// The system call filter, in the kernel's BPF dialect
// (Documentation/userspace-api/seccomp_filter.rst).
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <unistd.h>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "sandbox.h"

namespace nolens::media_app {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kFirstForeignCall = 0x4000'0000;  // x32: other numbers for the same calls
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kFirstForeignCall = 0x4000'0000;
#else
#error "nolens-media has a system call filter for x86-64 and aarch64 only"
#endif

/// Memory, locks between a thread and itself, clocks, the end.
constexpr long kAllowed[] = {SYS_brk,           SYS_munmap,   SYS_mremap,     SYS_madvise,
                             SYS_futex,         SYS_exit,     SYS_exit_group, SYS_restart_syscall,
                             SYS_clock_gettime, SYS_getrandom};
/// What libraries ask for and can do without: facts about the machine (qsort, thread counts).
constexpr long kAnsweredWithNo[] = {SYS_sysinfo, SYS_sched_getaffinity, SYS_sched_yield};

class FilterWriter {
 public:
  void load(std::size_t offset) {
    add(BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset));
  }
  void give(std::uint32_t verdict) { add(BPF_RET | BPF_K, 0, 0, verdict); }
  /// Skips `count` instructions unless the loaded word is `value`.
  void skip_unless_equal(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, 0, count, value);
  }
  void skip_if_equal(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, count, 0, value);
  }
  void skip_if_below(std::uint32_t value, std::uint8_t count) {
    add(BPF_JMP | BPF_JGE | BPF_K, 0, count, value);
  }
  void skip_if_any_bit(std::uint32_t bits, std::uint8_t count) {
    add(BPF_JMP | BPF_JSET | BPF_K, count, 0, bits);
  }
  void skip_unless_any_bit(std::uint32_t bits, std::uint8_t count) {
    add(BPF_JMP | BPF_JSET | BPF_K, 0, count, bits);
  }
  [[nodiscard]] std::vector<sock_filter>& code() noexcept { return code_; }

 private:
  void add(int operation, std::uint8_t jump_true, std::uint8_t jump_false, std::uint32_t value) {
    code_.push_back({static_cast<std::uint16_t>(operation), jump_true, jump_false, value});
  }
  std::vector<sock_filter> code_;
};

constexpr std::size_t argument(std::size_t index) {
  return offsetof(seccomp_data, args) + index * sizeof(std::uint64_t);  // its low half
}

std::vector<sock_filter> filter_for(int output) {
  FilterWriter filter;
  filter.load(offsetof(seccomp_data, arch));
  filter.skip_if_equal(kArchitecture, 1);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  filter.load(offsetof(seccomp_data, nr));
  filter.skip_if_below(kFirstForeignCall, 1);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  for (const long call : kAllowed) {
    filter.skip_unless_equal(static_cast<std::uint32_t>(call), 1);
    filter.give(SECCOMP_RET_ALLOW);
  }
  for (const long call : kAnsweredWithNo) {
    filter.skip_unless_equal(static_cast<std::uint32_t>(call), 1);
    filter.give(SECCOMP_RET_ERRNO | ENOSYS);
  }
  // write, to the parent only.
  filter.skip_unless_equal(SYS_write, 4);
  filter.load(argument(0));
  filter.skip_unless_equal(static_cast<std::uint32_t>(output), 1);
  filter.give(SECCOMP_RET_ALLOW);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  // mmap, of fresh memory that cannot be executed.
  filter.skip_unless_equal(SYS_mmap, 6);
  filter.load(argument(2));
  filter.skip_if_any_bit(PROT_EXEC, 3);
  filter.load(argument(3));
  filter.skip_unless_any_bit(MAP_ANONYMOUS, 1);
  filter.give(SECCOMP_RET_ALLOW);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  return std::move(filter.code());
}

}  // namespace

bool filter_system_calls(int output) {
  std::vector<sock_filter> code = filter_for(output);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  // All threads, should a library have started one.
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

}  // namespace nolens::media_app
