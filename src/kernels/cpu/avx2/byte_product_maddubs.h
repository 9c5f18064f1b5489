// Products of int8 with AVX2 alone.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace nolens {
namespace {

/// vpmaddubsw multiplies unsigned by signed bytes: |w| and x with the sign of w. Pairs cannot
/// saturate: 2 * 128 * 127 < 2^15.
struct ByteProduct {
  /// What the sums are too large by: kExcess * sum of x.
  static constexpr std::int32_t kExcess = 0;
  static __m256i prepare(__m256i w) noexcept { return w; }
  /// Lane i: sum += the 4 products of bytes 4i … 4i + 3; w is prepared.
  static __m256i multiply_add(__m256i sum, __m256i w, __m256i x) noexcept {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

}  // namespace
}  // namespace nolens
