// Vectors of 16 rows of a panel, with AVX-512 VNNI.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace nolens {
namespace {

/// A tile is 4 rows of x times both panels: 8 integer and 8 float sums, 2 vectors of codes, one of x.
/// vpdpbusd takes 4 cycles and one starts in each, so 8 independent sums keep the unit busy. Of the 80
/// instructions of a block that need it 64 are products; conversions share another port. Measured on
/// Zen 4: 8 x 1 panel is as fast without high parts, but its 8 rows have more steps with some.
struct PanelLanes {
  static constexpr int kLanes = 16;
  static constexpr int kTokens = 4;
  static constexpr int kColumns = 2;
  static constexpr bool kSignedBytes = false;
  using Ints = __m512i;
  using Floats = __m512;
  using Bytes = unsigned char __attribute__((vector_size(64)));

  static Ints zero() noexcept { return _mm512_setzero_si512(); }
  static Ints set1(std::int32_t value) noexcept { return _mm512_set1_epi32(value); }
  static Ints load_codes(const unsigned char* p) noexcept { return _mm512_load_si512(p); }
  static Ints to_codes(Bytes bytes) noexcept { return reinterpret_cast<Ints>(bytes); }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  template <bool kSmallCodes>
  static Ints dot(Ints sum, Ints codes, Ints x) noexcept {
    return _mm512_dpbusd_epi32(sum, codes, x);
  }
  static Ints add(Ints a, Ints b) noexcept { return _mm512_add_epi32(a, b); }
  template <int kBits>
  static Ints shift_left(Ints a) noexcept {
    return _mm512_slli_epi32(a, kBits);
  }
  /// -kFactor * a; kFactor is a power of two.
  template <std::int32_t kFactor>
  static Ints minus_multiple(Ints a) noexcept {
    return _mm512_sub_epi32(zero(), _mm512_slli_epi32(a, __builtin_ctz(kFactor)));
  }
  static Floats zero_floats() noexcept { return _mm512_setzero_ps(); }
  static Floats set1_float(float value) noexcept { return _mm512_set1_ps(value); }
  static Floats to_floats(Ints a) noexcept { return _mm512_cvtepi32_ps(a); }
  static Floats load(const float* p) noexcept { return _mm512_load_ps(p); }
  static void store(float* p, Floats a) noexcept { _mm512_store_ps(p, a); }
  static Floats multiply(Floats a, Floats b) noexcept { return _mm512_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) noexcept { return _mm512_fmadd_ps(a, b, c); }

  static Bytes load_table(const unsigned char (&table)[16]) noexcept {
    const auto* bytes = static_cast<const __m128i*>(static_cast<const void*>(table));
    return reinterpret_cast<Bytes>(_mm512_broadcast_i32x4(_mm_loadu_si128(bytes)));
  }
  static Bytes lookup(Bytes table, Bytes index) noexcept {
    return reinterpret_cast<Bytes>(
        _mm512_shuffle_epi8(reinterpret_cast<__m512i>(table), reinterpret_cast<__m512i>(index)));
  }
};

}  // namespace
}  // namespace nolens
