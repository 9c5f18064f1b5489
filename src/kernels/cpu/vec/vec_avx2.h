// Eight floats: AVX2 with FMA and F16C. What the operations mean: vec_scalar.h.
#pragma once

#include <cstdint>
#include <immintrin.h>
#include <math.h>

namespace nolens {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 8;
  __m256 v;
};
struct Mask {
  __m256 m;
};

struct Ints {
  __m256i v;
};

inline __m256i first_lanes(std::int64_t n) noexcept {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
}
inline const __m128i* as_m128i(const void* p) noexcept {
  return static_cast<const __m128i*>(p);
}

inline Vec zero() noexcept {
  return {_mm256_setzero_ps()};
}
inline Vec set1(float value) noexcept {
  return {_mm256_set1_ps(value)};
}
inline Vec load(const float* p) noexcept {
  return {_mm256_loadu_ps(p)};
}
inline Vec load_partial(const float* p, std::int64_t n) noexcept {
  return {_mm256_maskload_ps(p, first_lanes(n))};
}
inline void store(float* p, Vec a) noexcept {
  _mm256_storeu_ps(p, a.v);
}
inline void store_partial(float* p, Vec a, std::int64_t n) noexcept {
  _mm256_maskstore_ps(p, first_lanes(n), a.v);
}

inline Vec load_f32(const unsigned char* p) noexcept {
  return {_mm256_castsi256_ps(
      _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(p))))};
}
inline __m128i load_16_bytes(const unsigned char* p) noexcept {
  return _mm_loadu_si128(as_m128i(p));
}
inline __m128i load_16_bytes_partial(const unsigned char* p, std::int64_t bytes) noexcept {
  alignas(16) unsigned char buffer[16] = {};
  __builtin_memcpy(buffer, p, static_cast<unsigned long>(bytes));
  return _mm_load_si128(as_m128i(buffer));
}
inline Vec from_bf16(__m128i bits) noexcept {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}
inline Vec load_f16(const unsigned char* p) noexcept {
  return {_mm256_cvtph_ps(load_16_bytes(p))};
}
inline Vec load_bf16(const unsigned char* p) noexcept {
  return from_bf16(load_16_bytes(p));
}
inline float half_at(const unsigned char* p) noexcept {
  std::uint16_t bits = 0;
  __builtin_memcpy(&bits, p, 2);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
inline Vec load_i8(const unsigned char* p) noexcept {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(as_m128i(p))))};
}
inline Vec load_entries(const float* table, const unsigned char* bytes) noexcept {
  const __m256i index = _mm256_cvtepu8_epi32(_mm_loadl_epi64(as_m128i(bytes)));
  return {_mm256_i32gather_ps(table, index, 4)};
}
inline Vec load_f32_partial(const unsigned char* p, std::int64_t n) noexcept {
  alignas(32) float buffer[8] = {};
  __builtin_memcpy(buffer, p, static_cast<unsigned long>(n) * 4);
  return {_mm256_load_ps(buffer)};
}
inline Vec load_f16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return {_mm256_cvtph_ps(load_16_bytes_partial(p, 2 * n))};
}
inline Vec load_bf16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return from_bf16(load_16_bytes_partial(p, 2 * n));
}
inline void store_f16(std::uint16_t* p, Vec a) noexcept {
  _mm_storeu_si128(static_cast<__m128i*>(static_cast<void*>(p)),
                   _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline void store_f16_partial(std::uint16_t* p, Vec a, std::int64_t n) noexcept {
  const __m128i halves = _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT);
  __builtin_memcpy(p, &halves, static_cast<unsigned long>(n) * 2);
}

inline Vec add(Vec a, Vec b) noexcept {
  return {_mm256_add_ps(a.v, b.v)};
}
inline Vec sub(Vec a, Vec b) noexcept {
  return {_mm256_sub_ps(a.v, b.v)};
}
inline Vec mul(Vec a, Vec b) noexcept {
  return {_mm256_mul_ps(a.v, b.v)};
}
inline Vec div(Vec a, Vec b) noexcept {
  return {_mm256_div_ps(a.v, b.v)};
}
inline Vec fma(Vec a, Vec b, Vec c) noexcept {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec fnma(Vec a, Vec b, Vec c) noexcept {
  return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
inline Vec product_error(Vec a, Vec b, Vec p) noexcept {
  return {_mm256_fmsub_ps(a.v, b.v, p.v)};
}
inline Vec max(Vec a, Vec b) noexcept {
  return {_mm256_max_ps(a.v, b.v)};
}
inline Vec min(Vec a, Vec b) noexcept {
  return {_mm256_min_ps(a.v, b.v)};
}
inline Vec abs(Vec a) noexcept {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) noexcept {
  return {_mm256_or_ps(magnitude.v, _mm256_and_ps(_mm256_set1_ps(-0.0F), sign.v))};
}
inline Vec round(Vec a) noexcept {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec times_power_of_two(Vec p, Vec n) noexcept {
  // Two factors, because 2^128 and 2^-149 are not normal floats.
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return {
      _mm256_mul_ps(_mm256_mul_ps(p.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
}
inline Mask less(Vec a, Vec b) noexcept {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
inline Vec select(Mask m, Vec a, Vec b) noexcept {
  return {_mm256_blendv_ps(b.v, a.v, m.m)};
}
inline Vec lane_numbers() noexcept {
  return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)};
}

inline Ints load_u8(const unsigned char* p) noexcept {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(as_m128i(p)))};
}
inline Ints load_pairs(const unsigned char* p) noexcept {
  std::int32_t bytes = 0;
  __builtin_memcpy(&bytes, p, 4);
  const __m256i twice = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
  return {_mm256_or_si256(_mm256_srli_epi64(twice, 4), _mm256_slli_epi64(twice, 32))};
}
inline Ints lane_bits(std::uint32_t bits) noexcept {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(bits));
  const __m256i first = _mm256_srlv_epi32(all, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  return {_mm256_and_si256(first, _mm256_set1_epi32(1))};
}
inline Ints bit_and(Ints a, std::int32_t mask) noexcept {
  return {_mm256_and_si256(a.v, _mm256_set1_epi32(mask))};
}
inline Ints bit_or(Ints a, Ints b) noexcept {
  return {_mm256_or_si256(a.v, b.v)};
}
template <int kBits>
inline Ints shift_left(Ints a) noexcept {
  return {_mm256_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline Ints shift_right(Ints a) noexcept {
  return {_mm256_srli_epi32(a.v, kBits)};
}
inline Ints add(Ints a, std::int32_t b) noexcept {
  return {_mm256_add_epi32(a.v, _mm256_set1_epi32(b))};
}
inline Ints add(Ints a, Ints b) noexcept {
  return {_mm256_add_epi32(a.v, b.v)};
}
inline Vec to_floats(Ints a) noexcept {
  return {_mm256_cvtepi32_ps(a.v)};
}
inline Ints bits_of(Vec a) noexcept {
  return {_mm256_castps_si256(a.v)};
}
inline Vec from_bits(Ints a) noexcept {
  return {_mm256_castsi256_ps(a.v)};
}
inline Vec round_to_half(Vec a) noexcept {
  return {_mm256_cvtph_ps(_mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}
struct Table16 {
  __m256 low;
  __m256 high;
};
inline Table16 load_table(const float* p) noexcept {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline Vec lookup(Table16 table, Ints index) noexcept {
  // The permutations read the low 3 bits; the fourth, moved to the sign, chooses between them.
  const __m256 from_low = _mm256_permutevar8x32_ps(table.low, index.v);
  const __m256 from_high = _mm256_permutevar8x32_ps(table.high, index.v);
  const __m256 choice = _mm256_castsi256_ps(_mm256_slli_epi32(index.v, 28));
  return {_mm256_blendv_ps(from_low, from_high, choice)};
}

inline float reduce_add(Vec a) noexcept {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float reduce_max(Vec a) noexcept {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) noexcept {
  const __m256 ab =
      _mm256_add_ps(_mm256_permute2f128_ps(a.v, b.v, 0x20), _mm256_permute2f128_ps(a.v, b.v, 0x31));
  const __m256 cd =
      _mm256_add_ps(_mm256_permute2f128_ps(c.v, d.v, 0x20), _mm256_permute2f128_ps(c.v, d.v, 0x31));
  const __m256 pairs = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)),
                                     _mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2)));
  const __m256 ones = _mm256_add_ps(pairs, _mm256_movehdup_ps(pairs));  // a . c . | b . d .
  const __m128 acbd = _mm_shuffle_ps(_mm256_castps256_ps128(ones), _mm256_extractf128_ps(ones, 1),
                                     _MM_SHUFFLE(2, 0, 2, 0));
  _mm_storeu_ps(sums, _mm_permute_ps(acbd, _MM_SHUFFLE(3, 1, 2, 0)));
}

/// Sums in double precision of float lanes.
struct DoubleSum {
  __m256d low = _mm256_setzero_pd();
  __m256d high = _mm256_setzero_pd();
};
inline __m256d low_half(Vec a) noexcept {
  return _mm256_cvtps_pd(_mm256_castps256_ps128(a.v));
}
inline __m256d high_half(Vec a) noexcept {
  return _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1));
}
inline void add_to(DoubleSum& sum, Vec a) noexcept {
  sum.low = _mm256_add_pd(sum.low, low_half(a));
  sum.high = _mm256_add_pd(sum.high, high_half(a));
}
/// sum += (a - center)^2
inline void add_square_to(DoubleSum& sum, Vec a, double center) noexcept {
  const __m256d low = _mm256_sub_pd(low_half(a), _mm256_set1_pd(center));
  const __m256d high = _mm256_sub_pd(high_half(a), _mm256_set1_pd(center));
  sum.low = _mm256_fmadd_pd(low, low, sum.low);
  sum.high = _mm256_fmadd_pd(high, high, sum.high);
}
inline double total(const DoubleSum& sum) noexcept {
  const __m256d four = _mm256_add_pd(sum.low, sum.high);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

// Register tiles of linear.inl: 3 rows of x by 4 rows of w are 12 accumulators, which with 3
// vectors of x and 1 of w fill the 16 registers. Two FMA units of latency 4 or 5 want at least 10
// accumulators; 7 loads per 12 FMAs stay below 2 loads per cycle.
constexpr int kTileM = 3;

}  // namespace
}  // namespace nolens
