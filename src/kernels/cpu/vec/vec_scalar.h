// One float at a time: the path for every machine, and the plainest reading of what Vec means.
//
// Operations every vec_*.h defines, lane by lane:
//   fma(a, b, c) = a*b + c; fnma(a, b, c) = c - a*b; product_error(a, b, p) = a*b - p, exact for p
//   = a*b max, min: the second operand if either is NaN; select(m, a, b) = m ? a : b round: to
//   nearest integer; times_power_of_two(p, n) = p * 2^n, rounded once reduce_add4 adds the lanes of
//   four vectors, each in the order of reduce_add
// Ints are lanes of 32 bits: load_u8 reads one byte a lane; load_pairs reads W/2 bytes, the high
// half of byte i for lane 2i, the low half (with rubbish above its 4 bits) for lane 2i + 1, and
// where W = 1 the high half only; lane_bits gives lane l bit l; bits_of and from_bits keep the
// bits.
//   lookup(table, index): entry (index mod 16) of 16 floats; round_to_half: to nearest, ties to
//   even
// *_partial(pointer, n): the first n lanes, 0 < n < kLanes; the others are zero and not touched.
#pragma once

#include <cstdint>
#include <math.h>

namespace nolens {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 1;
  float v;
};
struct Mask {
  bool m;
};

struct Ints {
  std::uint32_t v;
};

inline std::uint32_t float_bits(float value) noexcept {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}
inline float float_from_bits(std::uint32_t bits) noexcept {
  float value = 0;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

inline float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent_and_mantissa = half & 0x7FFFU;
  if (exponent_and_mantissa >= 0x7C00U) {  // infinity, NaN
    return float_from_bits(sign | 0x7F80'0000U | ((half & 0x3FFU) << 13U));
  }
  // Read as the upper part of a float the exponent is 112 too small; the product is exact,
  // subnormals included.
  const float magnitude = float_from_bits(exponent_and_mantissa << 13U) * 0x1p112F;
  return float_from_bits(sign | float_bits(magnitude));
}

inline std::uint16_t float_to_half(float value) noexcept {
  const std::uint32_t bits = float_bits(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  std::uint32_t result = 0;
  if (magnitude > 0x7F80'0000U) {
    result = 0x7E00U;
  } else if (magnitude >= 0x4780'0000U) {  // 65536 and more
    result = 0x7C00U;
  } else if (magnitude < 0x3880'0000U) {
    // Below the smallest normal half: adding 2^-1 * 2^0 aligns the unit of 2^-24 with the float's
    // last bit, so that the addition rounds as required.
    result = float_bits(float_from_bits(magnitude) + 0.5F) - float_bits(0.5F);
  } else {
    result = (magnitude + 0xFFFU + ((magnitude >> 13U) & 1U) - 0x3800'0000U) >> 13U;
  }
  return static_cast<std::uint16_t>(sign | result);
}

inline Vec zero() noexcept {
  return {0.0F};
}
inline Vec set1(float value) noexcept {
  return {value};
}
inline Vec load(const float* p) noexcept {
  return {*p};
}
inline Vec load_partial(const float*, std::int64_t) noexcept {
  return {0.0F};
}
inline void store(float* p, Vec a) noexcept {
  *p = a.v;
}
inline void store_partial(float*, Vec, std::int64_t) noexcept {}

inline Vec load_f32(const unsigned char* p) noexcept {
  Vec a{};
  __builtin_memcpy(&a.v, p, 4);
  return a;
}
inline Vec load_f16(const unsigned char* p) noexcept {
  std::uint16_t bits = 0;
  __builtin_memcpy(&bits, p, 2);
  return {half_to_float(bits)};
}
inline Vec load_bf16(const unsigned char* p) noexcept {
  std::uint16_t bits = 0;
  __builtin_memcpy(&bits, p, 2);
  return {float_from_bits(static_cast<std::uint32_t>(bits) << 16U)};
}
inline float half_at(const unsigned char* p) noexcept {
  return load_f16(p).v;
}
inline Vec load_i8(const unsigned char* p) noexcept {
  return {static_cast<float>(static_cast<std::int8_t>(*p))};
}
inline Vec load_entries(const float* table, const unsigned char* bytes) noexcept {
  return {table[*bytes]};
}
inline Vec load_f32_partial(const unsigned char*, std::int64_t) noexcept {
  return {0.0F};
}
inline Vec load_f16_partial(const unsigned char*, std::int64_t) noexcept {
  return {0.0F};
}
inline Vec load_bf16_partial(const unsigned char*, std::int64_t) noexcept {
  return {0.0F};
}
inline void store_f16(std::uint16_t* p, Vec a) noexcept {
  *p = float_to_half(a.v);
}
inline void store_f16_partial(std::uint16_t*, Vec, std::int64_t) noexcept {}

inline Vec add(Vec a, Vec b) noexcept {
  return {a.v + b.v};
}
inline Vec sub(Vec a, Vec b) noexcept {
  return {a.v - b.v};
}
inline Vec mul(Vec a, Vec b) noexcept {
  return {a.v * b.v};
}
inline Vec div(Vec a, Vec b) noexcept {
  return {a.v / b.v};
}
inline Vec fma(Vec a, Vec b, Vec c) noexcept {
  return {a.v * b.v + c.v};
}
inline Vec fnma(Vec a, Vec b, Vec c) noexcept {
  return {c.v - a.v * b.v};
}
inline Vec product_error(Vec a, Vec b, Vec p) noexcept {
  return {static_cast<float>(static_cast<double>(a.v) * b.v - p.v)};
}
inline Vec max(Vec a, Vec b) noexcept {
  return {a.v > b.v ? a.v : b.v};
}
inline Vec min(Vec a, Vec b) noexcept {
  return {a.v < b.v ? a.v : b.v};
}
inline Vec abs(Vec a) noexcept {
  return {float_from_bits(float_bits(a.v) & 0x7FFF'FFFFU)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) noexcept {
  return {float_from_bits(float_bits(magnitude.v) | (float_bits(sign.v) & 0x8000'0000U))};
}
// 1.5 * 2^23: sums with it have no fraction bits. Valid for |a| < 2^22.
inline Vec round(Vec a) noexcept {
  return {(a.v + 12'582'912.0F) - 12'582'912.0F};
}
inline Vec times_power_of_two(Vec p, Vec n) noexcept {
  // Two factors, because 2^128 and 2^-149 are not normal floats. Unsigned, as n may be NaN.
  const std::uint32_t whole = float_bits(n.v + 12'582'912.0F) - float_bits(12'582'912.0F);
  const std::uint32_t half = (whole + 512U) / 2U - 256U;
  const float first = float_from_bits((half + 127U) << 23U);
  const float second = float_from_bits((whole - half + 127U) << 23U);
  return {p.v * first * second};
}
inline Mask less(Vec a, Vec b) noexcept {
  return {a.v < b.v};
}
inline Vec select(Mask m, Vec a, Vec b) noexcept {
  return m.m ? a : b;
}
inline Vec lane_numbers() noexcept {
  return {0.0F};
}

inline Ints load_u8(const unsigned char* p) noexcept {
  return {*p};
}
inline Ints load_pairs(const unsigned char* p) noexcept {
  return {static_cast<std::uint32_t>(*p) >> 4U};
}
inline Ints lane_bits(std::uint32_t bits) noexcept {
  return {bits & 1U};
}
inline Ints bit_and(Ints a, std::int32_t mask) noexcept {
  return {a.v & static_cast<std::uint32_t>(mask)};
}
inline Ints bit_or(Ints a, Ints b) noexcept {
  return {a.v | b.v};
}
template <int kBits>
inline Ints shift_left(Ints a) noexcept {
  return {a.v << kBits};
}
template <int kBits>
inline Ints shift_right(Ints a) noexcept {
  return {a.v >> kBits};
}
inline Ints add(Ints a, std::int32_t b) noexcept {
  return {a.v + static_cast<std::uint32_t>(b)};
}
inline Ints add(Ints a, Ints b) noexcept {
  return {a.v + b.v};
}
inline Vec to_floats(Ints a) noexcept {
  return {static_cast<float>(static_cast<std::int32_t>(a.v))};
}
inline Ints bits_of(Vec a) noexcept {
  return {float_bits(a.v)};
}
inline Vec from_bits(Ints a) noexcept {
  return {float_from_bits(a.v)};
}
inline Vec round_to_half(Vec a) noexcept {
  return {half_to_float(float_to_half(a.v))};
}
struct Table16 {
  const float* values;
};
inline Table16 load_table(const float* p) noexcept {
  return {p};
}
inline Vec lookup(Table16 table, Ints index) noexcept {
  return {table.values[index.v & 15U]};
}

inline float reduce_add(Vec a) noexcept {
  return a.v;
}
inline float reduce_max(Vec a) noexcept {
  return a.v;
}
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) noexcept {
  sums[0] = a.v;
  sums[1] = b.v;
  sums[2] = c.v;
  sums[3] = d.v;
}

/// Sums in double precision of float lanes.
struct DoubleSum {
  double sum = 0;
};
inline void add_to(DoubleSum& sum, Vec a) noexcept {
  sum.sum += static_cast<double>(a.v);
}
/// sum += (a - center)^2
inline void add_square_to(DoubleSum& sum, Vec a, double center) noexcept {
  const double difference = static_cast<double>(a.v) - center;
  sum.sum += difference * difference;
}
inline double total(const DoubleSum& sum) noexcept {
  return sum.sum;
}

// Register tiles of linear.inl: rows of x by 4 rows of w.
constexpr int kTileM = 2;

}  // namespace
}  // namespace nolens
