// Feature bits and the operating system's consent.
#include "platform/cpu_features.h"

#include <gtest/gtest.h>

namespace nolens {
namespace {

constexpr std::uint32_t kFma = 1U << 12;
constexpr std::uint32_t kAvx = 1U << 28;
constexpr std::uint32_t kF16c = 1U << 29;
constexpr std::uint32_t kAvx2 = 1U << 5;
constexpr std::uint32_t kAvx512 = (1U << 16) | (1U << 17) | (1U << 30) | (1U << 31);
constexpr std::uint32_t kVnni = 1U << 11;
constexpr std::uint32_t kAvxVnni = 1U << 4;
constexpr std::uint32_t kBf16 = 1U << 5;

X86Registers everything() {
  X86Registers registers;
  registers.leaf1_ecx = kFma | kAvx | kF16c;
  registers.leaf7_ebx = kAvx2 | kAvx512;
  registers.leaf7_ecx = kVnni;
  registers.leaf7_1_eax = kAvxVnni | kBf16;
  registers.xcr0 = 0xE7;
  return registers;
}

TEST(CpuFeatures, AProcessorWithEverythingHasEverything) {
  const CpuFeatures features = decode_x86(everything());
  EXPECT_TRUE(features.avx2);
  EXPECT_TRUE(features.avxvnni);
  EXPECT_TRUE(features.avx512);
  EXPECT_TRUE(features.avx512vnni);
  EXPECT_TRUE(features.avx512bf16);
  EXPECT_FALSE(features.neon);
}

TEST(CpuFeatures, NothingWithoutAnOperatingSystemThatSavesYmm) {
  X86Registers registers = everything();
  registers.xcr0 = 0x3;
  const CpuFeatures features = decode_x86(registers);
  EXPECT_FALSE(features.avx2);
  EXPECT_FALSE(features.avxvnni);
  EXPECT_FALSE(features.avx512bf16);
}

TEST(CpuFeatures, NoAvx512WithoutAnOperatingSystemThatSavesAllOfZmm) {
  for (const std::uint64_t missing : {0x20U, 0x40U, 0x80U}) {
    X86Registers registers = everything();
    registers.xcr0 &= ~missing;
    const CpuFeatures features = decode_x86(registers);
    EXPECT_TRUE(features.avx2);
    EXPECT_TRUE(features.avxvnni);
    EXPECT_FALSE(features.avx512);
    EXPECT_FALSE(features.avx512vnni);
    EXPECT_FALSE(features.avx512bf16);
  }
}

TEST(CpuFeatures, EveryPartOfAGroupIsNeeded) {
  for (const std::uint32_t missing : {kFma, kAvx, kF16c}) {
    X86Registers registers = everything();
    registers.leaf1_ecx &= ~missing;
    EXPECT_FALSE(decode_x86(registers).avx2);
    EXPECT_FALSE(decode_x86(registers).avx512);
  }
  for (const int bit : {16, 17, 30, 31}) {
    X86Registers registers = everything();
    registers.leaf7_ebx &= ~(1U << bit);
    EXPECT_FALSE(decode_x86(registers).avx512) << bit;
  }
  X86Registers registers = everything();
  registers.leaf7_ecx = 0;
  EXPECT_TRUE(decode_x86(registers).avx512);
  EXPECT_FALSE(decode_x86(registers).avx512vnni);
  EXPECT_FALSE(decode_x86(registers).avx512bf16);
}

TEST(CpuFeatures, Aarch64GroupsBuildOnEachOther) {
  const std::uint64_t simd = 1U << 1;
  const std::uint64_t dot = 1U << 20;
  const std::uint64_t i8mm = 1U << 13;
  EXPECT_FALSE(decode_aarch64(0, 0).neon);
  EXPECT_TRUE(decode_aarch64(simd, 0).neon);
  EXPECT_FALSE(decode_aarch64(simd, i8mm).neon_i8mm);
  EXPECT_TRUE(decode_aarch64(simd | dot, 0).neon_dotprod);
  EXPECT_TRUE(decode_aarch64(simd | dot, i8mm).neon_i8mm);
}

#if defined(__x86_64__) && defined(__GNUC__)
TEST(CpuFeatures, AgreesWithTheCompilersDetection) {
  __builtin_cpu_init();
  EXPECT_EQ(cpu_features().avx2,
            __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(cpu_features().avx512,
            __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0);
  EXPECT_EQ(cpu_features().avx512vnni,
            cpu_features().avx512 && __builtin_cpu_supports("avx512vnni") != 0);
}
#endif

}  // namespace
}  // namespace nolens
