// Vectors of 8 rows of a panel, with AVX2 or, where it is on, VNNI of 256 bits. Include after a
// byte_product_*.h.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace nolens {
namespace {

/// A tile is 4 rows of x times one vector: 4 integer and 4 float sums, codes, x and what vpmaddubsw needs
/// fit 16 registers.
struct PanelLanes {
  static constexpr int kLanes = 8;
  static constexpr int kTokens = 4;
  static constexpr int kColumns = 1;
  static constexpr bool kSignedBytes = ByteProduct::kExcess == 0;
  using Ints = __m256i;
  using Floats = __m256;
  using Bytes = unsigned char __attribute__((vector_size(32)));

  static Ints zero() noexcept { return _mm256_setzero_si256(); }
  static Ints set1(std::int32_t value) noexcept { return _mm256_set1_epi32(value); }
  static Ints load_codes(const unsigned char* p) noexcept {
    return _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(p)));
  }
  static Ints to_codes(Bytes bytes) noexcept { return reinterpret_cast<Ints>(bytes); }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
  }
  /// Small codes are below 64: vpmaddubsw takes them as they are, 2 * 63 * 127 < 2^15.
  template <bool kSmallCodes>
  static Ints dot(Ints sum, Ints codes, Ints x) noexcept {
    if constexpr (kSmallCodes && kSignedBytes) {
      const Ints pairs = _mm256_maddubs_epi16(codes, x);
      return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    } else {
      return ByteProduct::multiply_add(sum, codes, x);
    }
  }
  static Ints add(Ints a, Ints b) noexcept { return _mm256_add_epi32(a, b); }
  template <int kBits>
  static Ints shift_left(Ints a) noexcept {
    return _mm256_slli_epi32(a, kBits);
  }
  /// -kFactor * a; kFactor is a power of two.
  template <std::int32_t kFactor>
  static Ints minus_multiple(Ints a) noexcept {
    return _mm256_sub_epi32(zero(), _mm256_slli_epi32(a, __builtin_ctz(kFactor)));
  }
  static Floats zero_floats() noexcept { return _mm256_setzero_ps(); }
  static Floats set1_float(float value) noexcept { return _mm256_set1_ps(value); }
  static Floats to_floats(Ints a) noexcept { return _mm256_cvtepi32_ps(a); }
  static Floats load(const float* p) noexcept { return _mm256_load_ps(p); }
  static void store(float* p, Floats a) noexcept { _mm256_store_ps(p, a); }
  static Floats multiply(Floats a, Floats b) noexcept { return _mm256_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) noexcept { return _mm256_fmadd_ps(a, b, c); }

  static Bytes load_table(const unsigned char (&table)[16]) noexcept {
    const auto* bytes = static_cast<const __m128i*>(static_cast<const void*>(table));
    return reinterpret_cast<Bytes>(_mm256_broadcastsi128_si256(_mm_loadu_si128(bytes)));
  }
  static Bytes lookup(Bytes table, Bytes index) noexcept {
    return reinterpret_cast<Bytes>(
        _mm256_shuffle_epi8(reinterpret_cast<__m256i>(table), reinterpret_cast<__m256i>(index)));
  }
};

}  // namespace
}  // namespace nolens
