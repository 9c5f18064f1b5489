// Feature detection and the count of physical cores.
#include "platform/cpu_features.h"

#include <algorithm>
#include <fstream>

#include "platform/cpu_affinity.h"
#include "platform/thread_pool.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace nolens {
namespace {

constexpr bool bit(std::uint64_t word, int index) noexcept {
  return ((word >> index) & 1U) != 0;
}

CpuFeatures detect() noexcept {
#if defined(__x86_64__)
  X86Registers registers;
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
  if (__get_cpuid_count(1, 0, &eax, &ebx, &ecx, &edx) != 0) {
    registers.leaf1_ecx = ecx;
  }
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    registers.leaf7_ebx = ebx;
    registers.leaf7_ecx = ecx;
    const std::uint32_t last_subleaf = eax;
    if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
      registers.leaf7_1_eax = eax;
    }
  }
  if (bit(registers.leaf1_ecx, 27)) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    registers.xcr0 = (std::uint64_t{high} << 32) | low;
  }
  return decode_x86(registers);
#elif defined(__aarch64__)
  return decode_aarch64(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#else
  return {};
#endif
}

// Processors' worth of time that the control group (v2) of a container may use, rounded up; 0 = no
// limit known. More threads than that would be stopped by the kernel in the middle of a loop.
std::int64_t quota_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::int64_t quota = 0;
  std::int64_t period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) {
    return 0;  // no such file, or "max"
  }
  return (quota + period - 1) / period;
}

}  // namespace

CpuFeatures decode_x86(const X86Registers& registers) noexcept {
  CpuFeatures features;
  const bool saves_ymm = (registers.xcr0 & 0x06U) == 0x06U;  // XMM, YMM
  const bool saves_zmm = (registers.xcr0 & 0xE6U) == 0xE6U;  // and opmask, both halves of ZMM
  const bool fma = bit(registers.leaf1_ecx, 12);
  const bool f16c = bit(registers.leaf1_ecx, 29);
  const bool avx = bit(registers.leaf1_ecx, 28);
  features.avx2 = saves_ymm && avx && fma && f16c && bit(registers.leaf7_ebx, 5);
  features.avxvnni = features.avx2 && bit(registers.leaf7_1_eax, 4);
  features.avx512 = features.avx2 && saves_zmm && bit(registers.leaf7_ebx, 16) &&  // F
                    bit(registers.leaf7_ebx, 17) &&                                // DQ
                    bit(registers.leaf7_ebx, 30) &&                                // BW
                    bit(registers.leaf7_ebx, 31);                                  // VL
  features.avx512vnni = features.avx512 && bit(registers.leaf7_ecx, 11);
  features.avx512bf16 = features.avx512vnni && bit(registers.leaf7_1_eax, 5);
  return features;
}

CpuFeatures decode_aarch64(std::uint64_t hwcap, std::uint64_t hwcap2) noexcept {
  CpuFeatures features;
  features.neon = bit(hwcap, 1);                                  // HWCAP_ASIMD
  features.neon_dotprod = features.neon && bit(hwcap, 20);        // HWCAP_ASIMDDP
  features.neon_i8mm = features.neon_dotprod && bit(hwcap2, 13);  // HWCAP2_I8MM
  return features;
}

const CpuFeatures& cpu_features() noexcept {
  static const CpuFeatures features = detect();
  return features;
}

int physical_cores() {
  const auto cores = static_cast<std::int64_t>(one_cpu_per_core().size());
  const std::int64_t usable = std::max<std::int64_t>(1, cores);
  const std::int64_t quota = quota_cpus();
  return static_cast<int>(quota > 0 ? std::min(usable, quota) : usable);
}

}  // namespace nolens
