// What the processor and the operating system let this process execute.
#pragma once

#include <cstdint>

namespace nolens {

/// Groups of instructions the kernels are built for. A group counts only if the operating system
/// also saves the registers it uses.
struct CpuFeatures {
  bool avx2 = false;          ///< AVX2, FMA and F16C
  bool avxvnni = false;       ///< avx2 and 8-bit dot products in VEX encoding
  bool avx512 = false;        ///< avx2 and AVX-512 F, BW, DQ, VL
  bool avx512vnni = false;    ///< avx512 and 8-bit dot products
  bool avx512bf16 = false;    ///< avx512vnni and bfloat16 dot products
  bool neon = false;          ///< aarch64 with Advanced SIMD
  bool neon_dotprod = false;  ///< neon and 8-bit dot products
  bool neon_i8mm = false;     ///< neon_dotprod and 8-bit matrix products
};

/// Registers of CPUID and XGETBV that decide, as Intel's manual (vol. 1, 13-15; vol. 2, CPUID)
/// names them. All zero where a leaf does not exist.
struct X86Registers {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ebx = 0;
  std::uint32_t leaf7_ecx = 0;
  std::uint32_t leaf7_1_eax = 0;
  std::uint64_t xcr0 = 0;  ///< 0 unless leaf1_ecx says OSXSAVE
};
[[nodiscard]] CpuFeatures decode_x86(const X86Registers& registers) noexcept;

/// From the auxiliary vector's AT_HWCAP and AT_HWCAP2 (Linux, arch/arm64/include/uapi/asm/hwcap.h).
[[nodiscard]] CpuFeatures decode_aarch64(std::uint64_t hwcap, std::uint64_t hwcap2) noexcept;

/// Of this machine; asked once.
[[nodiscard]] const CpuFeatures& cpu_features() noexcept;

}  // namespace nolens
