// The loops of one instruction set; cmake/nolens_isa.cmake compiles this file for each, with NOLENS_ISA as
// its name and NOLENS_ISA_SCALAR for the one without vectors.
#include "kernels/cpu/peak/peak_loops.h"

#if defined(NOLENS_ISA_SCALAR)
#elif defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace nolens::peak_loops::NOLENS_ISA {
namespace {

// The empty asm keeps the loop as it is written. Every loop over acc is unrolled, the first one too: an
// index that is no constant would put the accumulators in memory.
#define NOLENS_PEAK_LOOP(Vector, kind, zero, step, first)                      \
  Vector acc[kPeakAccumulators];                                               \
  _Pragma("GCC unroll 12") for (int j = 0; j < kPeakAccumulators; ++j) {       \
    acc[j] = zero;                                                             \
  }                                                                            \
  for (std::int64_t i = 0; i < rounds; ++i) {                                  \
    _Pragma("GCC unroll 12") for (int j = 0; j < kPeakAccumulators; ++j) {     \
      acc[j] = step;                                                           \
      asm volatile("" : kind(acc[j]));                                         \
    }                                                                          \
  }                                                                            \
  return first

#if defined(NOLENS_ISA_SCALAR)

float fp32(std::int64_t rounds) noexcept {
  NOLENS_PEAK_LOOP(float, "+m", 0.0F, acc[j] * 0.999F + 1.0F, acc[0]);
}
constexpr PeakLoop kFp32{fp32, 2};
constexpr PeakLoop kBf16{};
constexpr PeakLoop kInt8{};

#elif defined(__AVX512F__)

float fp32(std::int64_t rounds) noexcept {
  const __m512 x = _mm512_set1_ps(0.5F);
  NOLENS_PEAK_LOOP(__m512, "+v", _mm512_setzero_ps(), _mm512_fmadd_ps(x, x, acc[j]),
                   _mm512_cvtss_f32(acc[0]));
}
constexpr PeakLoop kFp32{fp32, 32};

#if defined(__AVX512BF16__)
float bf16(std::int64_t rounds) noexcept {
  const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3F00));
  NOLENS_PEAK_LOOP(__m512, "+v", _mm512_setzero_ps(), _mm512_dpbf16_ps(acc[j], x, x),
                   _mm512_cvtss_f32(acc[0]));
}
constexpr PeakLoop kBf16{bf16, 64};
#else
constexpr PeakLoop kBf16{};
#endif

float int8(std::int64_t rounds) noexcept {
  const __m512i x = _mm512_set1_epi8(1);
#if defined(__AVX512VNNI__)
  NOLENS_PEAK_LOOP(__m512i, "+v", _mm512_setzero_si512(), _mm512_dpbusd_epi32(acc[j], x, x),
                   static_cast<float>(_mm512_cvtsi512_si32(acc[0])));
#else
  const __m512i ones = _mm512_set1_epi16(1);
  NOLENS_PEAK_LOOP(
      __m512i, "+v", _mm512_setzero_si512(),
      _mm512_add_epi32(acc[j], _mm512_madd_epi16(_mm512_maddubs_epi16(acc[j], x), ones)),
      static_cast<float>(_mm512_cvtsi512_si32(acc[0])));
#endif
}
constexpr PeakLoop kInt8{int8, 128};

#elif defined(__AVX2__)

float fp32(std::int64_t rounds) noexcept {
  const __m256 x = _mm256_set1_ps(0.5F);
  NOLENS_PEAK_LOOP(__m256, "+x", _mm256_setzero_ps(), _mm256_fmadd_ps(x, x, acc[j]),
                   _mm256_cvtss_f32(acc[0]));
}
constexpr PeakLoop kFp32{fp32, 16};
constexpr PeakLoop kBf16{};

float int8(std::int64_t rounds) noexcept {
  const __m256i x = _mm256_set1_epi8(1);
#if defined(__AVXVNNI__)
  NOLENS_PEAK_LOOP(__m256i, "+x", _mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(acc[j], x, x),
                   static_cast<float>(_mm256_extract_epi32(acc[0], 0)));
#else
  const __m256i ones = _mm256_set1_epi16(1);
  NOLENS_PEAK_LOOP(
      __m256i, "+x", _mm256_setzero_si256(),
      _mm256_add_epi32(acc[j], _mm256_madd_epi16(_mm256_maddubs_epi16(acc[j], x), ones)),
      static_cast<float>(_mm256_extract_epi32(acc[0], 0)));
#endif
}
constexpr PeakLoop kInt8{int8, 64};

#elif defined(__ARM_NEON)

float fp32(std::int64_t rounds) noexcept {
  const float32x4_t x = vdupq_n_f32(0.5F);
  NOLENS_PEAK_LOOP(float32x4_t, "+w", vdupq_n_f32(0.0F), vfmaq_f32(acc[j], x, x),
                   vgetq_lane_f32(acc[0], 0));
}
constexpr PeakLoop kFp32{fp32, 8};
constexpr PeakLoop kBf16{};

#if defined(__ARM_FEATURE_DOTPROD)
float int8(std::int64_t rounds) noexcept {
  const int8x16_t x = vdupq_n_s8(1);
#if defined(__ARM_FEATURE_MATMUL_INT8)
  NOLENS_PEAK_LOOP(int32x4_t, "+w", vdupq_n_s32(0), vmmlaq_s32(acc[j], x, x),
                   static_cast<float>(vgetq_lane_s32(acc[0], 0)));
#else
  NOLENS_PEAK_LOOP(int32x4_t, "+w", vdupq_n_s32(0), vdotq_s32(acc[j], x, x),
                   static_cast<float>(vgetq_lane_s32(acc[0], 0)));
#endif
}
#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr PeakLoop kInt8{int8, 64};
#else
constexpr PeakLoop kInt8{int8, 32};
#endif
#else
constexpr PeakLoop kInt8{};
#endif

#endif

/// Asking for memory 4 KiB ahead gave the steadiest figures with two threads.
constexpr std::int64_t kAhead = 4096 / 8;
constexpr int kSums = 64;

std::uint64_t read(const std::uint64_t* data, std::int64_t count) noexcept {
  std::uint64_t sums[kSums] = {};
  for (std::int64_t i = 0; i < count; i += kSums) {
    for (int line = 0; line < kSums; line += 8) {
      __builtin_prefetch(data + i + kAhead + line);
    }
    for (int j = 0; j < kSums; ++j) {
      sums[j] += data[i + j];
    }
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) {
    sum += part;
  }
  return sum;
}

}  // namespace

constinit const PeakLoops kLoops{kFp32, kBf16, kInt8, read};

}  // namespace nolens::peak_loops::NOLENS_ISA
