// Floats to bfloat16.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace nolens {
namespace {

/// Nearest, ties to even; subnormals too, which vcvtneps2bf16 would make 0. NaN stays NaN.
inline __m256i to_bf16_bits(__m512 x) noexcept {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i high = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_srli_epi32(
      _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd), 16);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i result = _mm512_mask_or_epi32(nearest, is_nan, high, _mm512_set1_epi32(0x40));
  return _mm512_cvtepi32_epi16(result);
}

void round_bf16(const float* x, std::int64_t n, std::uint16_t* y) noexcept {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(y + i)),
                        to_bf16_bits(_mm512_loadu_ps(x + i)));
  }
  if (i < n) {
    const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(n - i)) - 1U);
    _mm256_mask_storeu_epi16(y + i, mask, to_bf16_bits(_mm512_maskz_loadu_ps(mask, x + i)));
  }
}

}  // namespace
}  // namespace nolens
