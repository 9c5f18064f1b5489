// int8_linear.inl on 16 lanes, with AVX-512 VNNI. Include after avx2/byte_product_vnni.h.
#pragma once

#include "kernels/cpu/avx2/int8_linear.inl"

namespace nolens {
namespace {

/// 8 sums, 8 products, w and the scales use 18 of 32 registers; 8 independent products hide
/// vpdpbusd's latency of 4 to 5, and 10 of 64 + 24 instructions of a block are conversions and
/// scales.
struct SixteenLanes {
  static constexpr int kRows = 16;
  static constexpr int kTileM = 8;
  using Ints = __m512i;
  using Floats = __m512;
  static Ints set1(std::int32_t value) noexcept { return _mm512_set1_epi32(value); }
  static Ints load_bytes(const std::int8_t* p) noexcept { return _mm512_load_si512(p); }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  static Ints multiply_add(Ints sum, Ints w, Ints x) noexcept {
    return _mm512_dpbusd_epi32(sum, w, x);
  }
  static Floats load(const float* p) noexcept { return _mm512_load_ps(p); }
  static void store(float* p, Floats v) noexcept { _mm512_store_ps(p, v); }
  static Floats multiply_add_scaled(Ints products, Floats w_scales, float x_scale,
                                    Floats sum) noexcept {
    const Floats scale = _mm512_mul_ps(w_scales, _mm512_set1_ps(x_scale));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, sum);
  }
};

}  // namespace
}  // namespace nolens
