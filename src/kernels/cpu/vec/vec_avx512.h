// Sixteen floats: AVX-512 F, BW, DQ, VL. What the operations mean: vec_scalar.h.
#pragma once

#include <cstdint>
#include <immintrin.h>
#include <math.h>

namespace nolens {
namespace {

struct Vec {
  static constexpr std::int64_t kLanes = 16;
  __m512 v;
};
struct Mask {
  __mmask16 m;
};

struct Ints {
  __m512i v;
};

inline __mmask16 first_lanes(std::int64_t n) noexcept {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(n)) - 1U);
}
inline const __m256i* as_m256i(const void* p) noexcept {
  return static_cast<const __m256i*>(p);
}

inline Vec zero() noexcept {
  return {_mm512_setzero_ps()};
}
inline Vec set1(float value) noexcept {
  return {_mm512_set1_ps(value)};
}
inline Vec load(const float* p) noexcept {
  return {_mm512_loadu_ps(p)};
}
inline Vec load_partial(const float* p, std::int64_t n) noexcept {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
inline void store(float* p, Vec a) noexcept {
  _mm512_storeu_ps(p, a.v);
}
inline void store_partial(float* p, Vec a, std::int64_t n) noexcept {
  _mm512_mask_storeu_ps(p, first_lanes(n), a.v);
}

inline Vec from_bf16(__m256i bits) noexcept {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
inline Vec load_f32(const unsigned char* p) noexcept {
  return {_mm512_loadu_ps(static_cast<const void*>(p))};
}
inline Vec load_f16(const unsigned char* p) noexcept {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(as_m256i(p)))};
}
inline Vec load_bf16(const unsigned char* p) noexcept {
  return from_bf16(_mm256_loadu_si256(as_m256i(p)));
}
inline float half_at(const unsigned char* p) noexcept {
  std::uint16_t bits = 0;
  __builtin_memcpy(&bits, p, 2);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
inline Vec load_i8(const unsigned char* p) noexcept {
  const auto* bytes = static_cast<const __m128i*>(static_cast<const void*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(bytes)))};
}
inline Vec load_entries(const float* table, const unsigned char* bytes) noexcept {
  const auto* from = static_cast<const __m128i*>(static_cast<const void*>(bytes));
  return {_mm512_i32gather_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from)), table, 4)};
}
inline Vec load_f32_partial(const unsigned char* p, std::int64_t n) noexcept {
  return {_mm512_maskz_loadu_ps(first_lanes(n), static_cast<const void*>(p))};
}
inline Vec load_f16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p))};
}
inline Vec load_bf16_partial(const unsigned char* p, std::int64_t n) noexcept {
  return from_bf16(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
inline __m256i to_halves(Vec a) noexcept {
  return _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline void store_f16(std::uint16_t* p, Vec a) noexcept {
  _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(p)), to_halves(a));
}
inline void store_f16_partial(std::uint16_t* p, Vec a, std::int64_t n) noexcept {
  _mm256_mask_storeu_epi16(p, first_lanes(n), to_halves(a));
}

inline Vec add(Vec a, Vec b) noexcept {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Vec sub(Vec a, Vec b) noexcept {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Vec mul(Vec a, Vec b) noexcept {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Vec div(Vec a, Vec b) noexcept {
  return {_mm512_div_ps(a.v, b.v)};
}
inline Vec fma(Vec a, Vec b, Vec c) noexcept {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Vec fnma(Vec a, Vec b, Vec c) noexcept {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
inline Vec product_error(Vec a, Vec b, Vec p) noexcept {
  return {_mm512_fmsub_ps(a.v, b.v, p.v)};
}
inline Vec max(Vec a, Vec b) noexcept {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Vec min(Vec a, Vec b) noexcept {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Vec abs(Vec a) noexcept {
  return {_mm512_andnot_ps(_mm512_set1_ps(-0.0F), a.v)};
}
inline Vec copy_sign(Vec magnitude, Vec sign) noexcept {
  return {_mm512_or_ps(magnitude.v, _mm512_and_ps(_mm512_set1_ps(-0.0F), sign.v))};
}
inline Vec round(Vec a) noexcept {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec times_power_of_two(Vec p, Vec n) noexcept {
  return {_mm512_scalef_ps(p.v, n.v)};
}
inline Mask less(Vec a, Vec b) noexcept {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Vec select(Mask m, Vec a, Vec b) noexcept {
  return {_mm512_mask_blend_ps(m.m, b.v, a.v)};
}
inline Vec lane_numbers() noexcept {
  return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
}

inline Ints load_u8(const unsigned char* p) noexcept {
  const auto* bytes = static_cast<const __m128i*>(static_cast<const void*>(p));
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(bytes))};
}
inline Ints load_pairs(const unsigned char* p) noexcept {
  const auto* bytes = static_cast<const __m128i*>(static_cast<const void*>(p));
  const __m512i twice = _mm512_cvtepu8_epi64(_mm_loadl_epi64(bytes));
  return {_mm512_or_si512(_mm512_srli_epi64(twice, 4), _mm512_slli_epi64(twice, 32))};
}
inline Ints lane_bits(std::uint32_t bits) noexcept {
  return {_mm512_maskz_set1_epi32(static_cast<__mmask16>(bits), 1)};
}
inline Ints bit_and(Ints a, std::int32_t mask) noexcept {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(mask))};
}
inline Ints bit_or(Ints a, Ints b) noexcept {
  return {_mm512_or_si512(a.v, b.v)};
}
template <int kBits>
inline Ints shift_left(Ints a) noexcept {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline Ints shift_right(Ints a) noexcept {
  return {_mm512_srli_epi32(a.v, kBits)};
}
inline Ints add(Ints a, std::int32_t b) noexcept {
  return {_mm512_add_epi32(a.v, _mm512_set1_epi32(b))};
}
inline Ints add(Ints a, Ints b) noexcept {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline Vec to_floats(Ints a) noexcept {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline Ints bits_of(Vec a) noexcept {
  return {_mm512_castps_si512(a.v)};
}
inline Vec from_bits(Ints a) noexcept {
  return {_mm512_castsi512_ps(a.v)};
}
inline Vec round_to_half(Vec a) noexcept {
  return {_mm512_cvtph_ps(_mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))};
}
struct Table16 {
  __m512 v;
};
inline Table16 load_table(const float* p) noexcept {
  return {_mm512_loadu_ps(p)};
}
inline Vec lookup(Table16 table, Ints index) noexcept {
  return {_mm512_permutexvar_ps(index.v, table.v)};
}

inline float reduce_add(Vec a) noexcept {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float reduce_max(Vec a) noexcept {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) noexcept {
  const __m512 ab =
      _mm512_add_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xEE));
  const __m512 cd =
      _mm512_add_ps(_mm512_shuffle_f32x4(c.v, d.v, 0x44), _mm512_shuffle_f32x4(c.v, d.v, 0xEE));
  const __m512 fours =
      _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
  const __m512 twos = _mm512_add_ps(fours, _mm512_permute_ps(fours, 0x4E));
  const __m512 ones = _mm512_add_ps(twos, _mm512_movehdup_ps(twos));
  const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  _mm_storeu_ps(sums, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, ones)));
}

/// Sums in double precision of float lanes.
struct DoubleSum {
  __m512d low = _mm512_setzero_pd();
  __m512d high = _mm512_setzero_pd();
};
inline __m512d low_half(Vec a) noexcept {
  return _mm512_cvtps_pd(_mm512_castps512_ps256(a.v));
}
inline __m512d high_half(Vec a) noexcept {
  return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1));
}
inline void add_to(DoubleSum& sum, Vec a) noexcept {
  sum.low = _mm512_add_pd(sum.low, low_half(a));
  sum.high = _mm512_add_pd(sum.high, high_half(a));
}
/// sum += (a - center)^2
inline void add_square_to(DoubleSum& sum, Vec a, double center) noexcept {
  const __m512d low = _mm512_sub_pd(low_half(a), _mm512_set1_pd(center));
  const __m512d high = _mm512_sub_pd(high_half(a), _mm512_set1_pd(center));
  sum.low = _mm512_fmadd_pd(low, low, sum.low);
  sum.high = _mm512_fmadd_pd(high, high, sum.high);
}
inline double total(const DoubleSum& sum) noexcept {
  return _mm512_reduce_add_pd(_mm512_add_pd(sum.low, sum.high));
}

// Register tiles of linear.inl: 6 rows of x by 4 rows of w are 24 accumulators, with 6 vectors of x
// and 1 of w 31 of 32 registers. One or two FMA units of latency 4 want at least 8 accumulators; 10
// loads per 24 FMAs stay below one load per FMA, which is what Zen 4 sustains at 512 bits.
constexpr int kTileM = 6;

}  // namespace
}  // namespace nolens
