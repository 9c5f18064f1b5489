// Products of int8 with VNNI on 256 bits, in VEX encoding where AVX-VNNI is on, else in EVEX
// encoding.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace nolens {
namespace {

/// vpdpbusd multiplies unsigned by signed bytes: w + 128 and x.
struct ByteProduct {
  /// What the sums are too large by: kExcess * sum of x.
  static constexpr std::int32_t kExcess = 128;
  static __m256i prepare(__m256i w) noexcept { return _mm256_xor_si256(w, _mm256_set1_epi8(-128)); }
  /// Lane i: sum += the 4 products of bytes 4i … 4i + 3; w is prepared.
  static __m256i multiply_add(__m256i sum, __m256i w, __m256i x) noexcept {
#ifdef __AVXVNNI__
    return _mm256_dpbusd_avx_epi32(sum, w, x);
#else
    return _mm256_dpbusd_epi32(sum, w, x);
#endif
  }
};

}  // namespace
}  // namespace nolens
