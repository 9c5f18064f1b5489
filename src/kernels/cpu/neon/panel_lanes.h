// Vectors of 4 rows of a panel on aarch64, with sdot where the translation unit is compiled for it.
#pragma once

#include <arm_neon.h>
#include <cstdint>

namespace nolens {
namespace {

/// A tile is 4 rows of x times two vectors: 8 integer and 8 float sums of 32 registers.
struct PanelLanes {
  static constexpr int kLanes = 4;
  static constexpr int kTokens = 4;
  static constexpr int kColumns = 2;
  static constexpr bool kSignedBytes = true;
  using Ints = int32x4_t;
  using Floats = float32x4_t;
  using Bytes = unsigned char __attribute__((vector_size(16)));

  static Ints zero() noexcept { return vdupq_n_s32(0); }
  static Ints set1(std::int32_t value) noexcept { return vdupq_n_s32(value); }
  static Ints load_codes(const unsigned char* p) noexcept {
    return vreinterpretq_s32_u8(vld1q_u8(p));
  }
  static Ints to_codes(Bytes bytes) noexcept { return reinterpret_cast<Ints>(bytes); }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return vdupq_n_s32(four);
  }
  template <bool kSmallCodes>
  static Ints dot(Ints sum, Ints codes, Ints x) noexcept {
    const int8x16_t w = vreinterpretq_s8_s32(codes);
    const int8x16_t xs = vreinterpretq_s8_s32(x);
#ifdef __ARM_FEATURE_DOTPROD
    return vdotq_s32(sum, w, xs);
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(xs)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(w, xs));
    return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
  }
  static Ints add(Ints a, Ints b) noexcept { return vaddq_s32(a, b); }
  template <int kBits>
  static Ints shift_left(Ints a) noexcept {
    return vshlq_n_s32(a, kBits);
  }
  /// -kFactor * a; kFactor is a power of two.
  template <std::int32_t kFactor>
  static Ints minus_multiple(Ints a) noexcept {
    return vnegq_s32(vshlq_n_s32(a, __builtin_ctz(kFactor)));
  }
  static Floats zero_floats() noexcept { return vdupq_n_f32(0.0F); }
  static Floats set1_float(float value) noexcept { return vdupq_n_f32(value); }
  static Floats to_floats(Ints a) noexcept { return vcvtq_f32_s32(a); }
  static Floats load(const float* p) noexcept { return vld1q_f32(p); }
  static void store(float* p, Floats a) noexcept { vst1q_f32(p, a); }
  static Floats multiply(Floats a, Floats b) noexcept { return vmulq_f32(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) noexcept { return vfmaq_f32(c, a, b); }

  static Bytes load_table(const unsigned char (&table)[16]) noexcept {
    return reinterpret_cast<Bytes>(vld1q_u8(table));
  }
  static Bytes lookup(Bytes table, Bytes index) noexcept {
    return reinterpret_cast<Bytes>(
        vqtbl1q_u8(reinterpret_cast<uint8x16_t>(table), reinterpret_cast<uint8x16_t>(index)));
  }
};

}  // namespace
}  // namespace nolens
