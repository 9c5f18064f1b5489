// Four floats: aarch64 Advanced SIMD. What the operations mean: vec_scalar.h.
#pragma once

#include <arm_neon.h>
#include <cstdint>
#include <math.h>

namespace nolens {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 4;
  float32x4_t v;
};
struct Mask {
  uint32x4_t m;
};

struct Ints {
  uint32x4_t v;
};

inline Vec zero() noexcept {
  return {vdupq_n_f32(0.0F)};
}
inline Vec set1(float value) noexcept {
  return {vdupq_n_f32(value)};
}
inline Vec load(const float* p) noexcept {
  return {vld1q_f32(p)};
}
inline void store(float* p, Vec a) noexcept {
  vst1q_f32(p, a.v);
}
inline Vec load_partial(const float* p, std::int64_t n) noexcept {
  float buffer[4] = {};
  __builtin_memcpy(buffer, p, static_cast<unsigned long>(n) * 4);
  return load(buffer);
}
inline void store_partial(float* p, Vec a, std::int64_t n) noexcept {
  float buffer[4];
  store(buffer, a);
  __builtin_memcpy(p, buffer, static_cast<unsigned long>(n) * 4);
}

/// `bytes` <= 8 bytes from anywhere, then zeros.
inline uint16x4_t load_halves(const unsigned char* p, std::int64_t bytes) noexcept {
  std::uint16_t buffer[4] = {};
  __builtin_memcpy(buffer, p, static_cast<unsigned long>(bytes));
  return vld1_u16(buffer);
}
inline Vec from_f16(uint16x4_t halves) noexcept {
  return {vcvt_f32_f16(vreinterpret_f16_u16(halves))};
}
inline Vec from_bf16(uint16x4_t halves) noexcept {
  return {vreinterpretq_f32_u32(vshll_n_u16(halves, 16))};
}
inline Vec load_f32(const unsigned char* p) noexcept {
  return {vreinterpretq_f32_u8(vld1q_u8(p))};
}
inline Vec load_f16(const unsigned char* p) noexcept {
  return from_f16(vreinterpret_u16_u8(vld1_u8(p)));
}
inline Vec load_bf16(const unsigned char* p) noexcept {
  return from_bf16(vreinterpret_u16_u8(vld1_u8(p)));
}
inline float half_at(const unsigned char* p) noexcept {
  return vgetq_lane_f32(from_f16(load_halves(p, 2)).v, 0);
}
inline Vec load_i8(const unsigned char* p) noexcept {
  std::uint32_t four = 0;
  __builtin_memcpy(&four, p, 4);
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)))};
}
inline Vec load_entries(const float* table, const unsigned char* bytes) noexcept {
  float32x4_t values = vdupq_n_f32(table[bytes[0]]);
  values = vsetq_lane_f32(table[bytes[1]], values, 1);
  values = vsetq_lane_f32(table[bytes[2]], values, 2);
  return {vsetq_lane_f32(table[bytes[3]], values, 3)};
}
inline Vec load_f32_partial(const unsigned char* p, std::int64_t n) noexcept {
  float buffer[4] = {};
  __builtin_memcpy(buffer, p, static_cast<unsigned long>(n) * 4);
  return load(buffer);
}
inline Vec load_f16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return from_f16(load_halves(p, 2 * n));
}
inline Vec load_bf16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return from_bf16(load_halves(p, 2 * n));
}
inline uint16x4_t to_halves(Vec a) noexcept {
  return vreinterpret_u16_f16(vcvt_f16_f32(a.v));
}
inline void store_f16(std::uint16_t* p, Vec a) noexcept {
  vst1_u16(p, to_halves(a));
}
inline void store_f16_partial(std::uint16_t* p, Vec a, std::int64_t n) noexcept {
  std::uint16_t buffer[4];
  store_f16(buffer, a);
  __builtin_memcpy(p, buffer, static_cast<unsigned long>(n) * 2);
}

inline Vec add(Vec a, Vec b) noexcept {
  return {vaddq_f32(a.v, b.v)};
}
inline Vec sub(Vec a, Vec b) noexcept {
  return {vsubq_f32(a.v, b.v)};
}
inline Vec mul(Vec a, Vec b) noexcept {
  return {vmulq_f32(a.v, b.v)};
}
inline Vec div(Vec a, Vec b) noexcept {
  return {vdivq_f32(a.v, b.v)};
}
inline Vec fma(Vec a, Vec b, Vec c) noexcept {
  return {vfmaq_f32(c.v, a.v, b.v)};
}
inline Vec fnma(Vec a, Vec b, Vec c) noexcept {
  return {vfmsq_f32(c.v, a.v, b.v)};
}
inline Vec product_error(Vec a, Vec b, Vec p) noexcept {
  return {vfmaq_f32(vnegq_f32(p.v), a.v, b.v)};
}
inline Vec max(Vec a, Vec b) noexcept {
  return {vmaxq_f32(a.v, b.v)};
}
inline Vec min(Vec a, Vec b) noexcept {
  return {vminq_f32(a.v, b.v)};
}
inline Vec abs(Vec a) noexcept {
  return {vabsq_f32(a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) noexcept {
  return {vbslq_f32(vdupq_n_u32(0x8000'0000U), sign.v, magnitude.v)};
}
inline Vec round(Vec a) noexcept {
  return {vrndnq_f32(a.v)};
}
inline Vec times_power_of_two(Vec p, Vec n) noexcept {
  // Two factors, because 2^128 and 2^-149 are not normal floats.
  const int32x4_t whole = vcvtnq_s32_f32(n.v);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  const int32x4_t bias = vdupq_n_s32(127);
  const int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
  const int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return {vmulq_f32(vmulq_f32(p.v, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second))};
}
inline Mask less(Vec a, Vec b) noexcept {
  return {vcltq_f32(a.v, b.v)};
}
inline Vec select(Mask m, Vec a, Vec b) noexcept {
  return {vbslq_f32(m.m, a.v, b.v)};
}
inline Vec lane_numbers() noexcept {
  const float numbers[4] = {0, 1, 2, 3};
  return load(numbers);
}

inline Ints load_u8(const unsigned char* p) noexcept {
  std::uint32_t bytes = 0;
  __builtin_memcpy(&bytes, p, 4);
  return {vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))))};
}
inline Ints load_pairs(const unsigned char* p) noexcept {
  std::uint16_t bytes = 0;
  __builtin_memcpy(&bytes, p, 2);
  const uint64x2_t twice =
      vmovl_u32(vget_low_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))))));
  return {vreinterpretq_u32_u64(vorrq_u64(vshrq_n_u64(twice, 4), vshlq_n_u64(twice, 32)))};
}
inline Ints lane_bits(std::uint32_t bits) noexcept {
  const std::int32_t shifts[4] = {0, -1, -2, -3};
  return {vandq_u32(vshlq_u32(vdupq_n_u32(bits), vld1q_s32(shifts)), vdupq_n_u32(1))};
}
inline Ints bit_and(Ints a, std::int32_t mask) noexcept {
  return {vandq_u32(a.v, vdupq_n_u32(static_cast<std::uint32_t>(mask)))};
}
inline Ints bit_or(Ints a, Ints b) noexcept {
  return {vorrq_u32(a.v, b.v)};
}
template <int kBits>
inline Ints shift_left(Ints a) noexcept {
  return {vshlq_n_u32(a.v, kBits)};
}
template <int kBits>
inline Ints shift_right(Ints a) noexcept {
  return {vshrq_n_u32(a.v, kBits)};
}
inline Ints add(Ints a, std::int32_t b) noexcept {
  return {vaddq_u32(a.v, vdupq_n_u32(static_cast<std::uint32_t>(b)))};
}
inline Ints add(Ints a, Ints b) noexcept {
  return {vaddq_u32(a.v, b.v)};
}
inline Vec to_floats(Ints a) noexcept {
  return {vcvtq_f32_s32(vreinterpretq_s32_u32(a.v))};
}
inline Ints bits_of(Vec a) noexcept {
  return {vreinterpretq_u32_f32(a.v)};
}
inline Vec from_bits(Ints a) noexcept {
  return {vreinterpretq_f32_u32(a.v)};
}
inline Vec round_to_half(Vec a) noexcept {
  return {vcvt_f32_f16(vcvt_f16_f32(a.v))};
}
struct Table16 {
  uint8x16x4_t bytes;
};
inline Table16 load_table(const float* p) noexcept {
  return {{{vreinterpretq_u8_f32(vld1q_f32(p)), vreinterpretq_u8_f32(vld1q_f32(p + 4)),
            vreinterpretq_u8_f32(vld1q_f32(p + 8)), vreinterpretq_u8_f32(vld1q_f32(p + 12))}}};
}
inline Vec lookup(Table16 table, Ints index) noexcept {
  // Each index becomes the four byte numbers 4i, 4i + 1, 4i + 2, 4i + 3.
  const uint32x4_t entry = vandq_u32(index.v, vdupq_n_u32(15));
  const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x0302'0100U), entry, 0x0404'0404U);
  return {vreinterpretq_f32_u8(vqtbl4q_u8(table.bytes, vreinterpretq_u8_u32(bytes)))};
}

inline float reduce_add(Vec a) noexcept {
  const float32x4_t pairs = vpaddq_f32(a.v, a.v);
  return vgetq_lane_f32(vpaddq_f32(pairs, pairs), 0);
}
inline float reduce_max(Vec a) noexcept {
  return vmaxvq_f32(a.v);
}
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) noexcept {
  vst1q_f32(sums, vpaddq_f32(vpaddq_f32(a.v, b.v), vpaddq_f32(c.v, d.v)));
}

/// Sums in double precision of float lanes.
struct DoubleSum {
  float64x2_t low = vdupq_n_f64(0.0);
  float64x2_t high = vdupq_n_f64(0.0);
};
inline float64x2_t low_half(Vec a) noexcept {
  return vcvt_f64_f32(vget_low_f32(a.v));
}
inline float64x2_t high_half(Vec a) noexcept {
  return vcvt_high_f64_f32(a.v);
}
inline void add_to(DoubleSum& sum, Vec a) noexcept {
  sum.low = vaddq_f64(sum.low, low_half(a));
  sum.high = vaddq_f64(sum.high, high_half(a));
}
/// sum += (a - center)^2
inline void add_square_to(DoubleSum& sum, Vec a, double center) noexcept {
  const float64x2_t low = vsubq_f64(low_half(a), vdupq_n_f64(center));
  const float64x2_t high = vsubq_f64(high_half(a), vdupq_n_f64(center));
  sum.low = vfmaq_f64(sum.low, low, low);
  sum.high = vfmaq_f64(sum.high, high, high);
}
inline double total(const DoubleSum& sum) noexcept {
  return vaddvq_f64(vaddq_f64(sum.low, sum.high));
}

// Register tiles of linear.inl: 6 rows of x by 4 rows of w are 24 accumulators, with 6 vectors of x
// and 1 of w 31 of 32 registers; 10 loads per 24 FMAs.
constexpr int kTileM = 6;

}  // namespace
}  // namespace nolens
