// The passes with AVX2: vpmaddwd multiplies and adds two pixels of a channel, or two lines, at a
// time.
#include <cstdint>
#include <immintrin.h>

#include "preprocess/resize_passes.h"

namespace nolens {
namespace {

inline const __m128i* as_m128i(const void* p) noexcept {
  return static_cast<const __m128i*>(p);
}
inline std::int32_t rounding_term(int precision) noexcept {
  return precision == 0 ? 0 : 1 << (precision - 1);
}

/// A line of pixels, and a copy of its end from which 16 bytes may be read anywhere.
struct Line {
  const std::uint8_t* rgb;
  const std::uint8_t* end;  ///< pixel end_begin(axis) and those after it
};

/// First pixel of the copy: no window that begins before it reaches within two pixels of the line's
/// end.
inline std::int64_t end_begin(const ResizeAxis& axis) noexcept {
  const std::int64_t begin = axis.n_in - axis.taps - 2;
  return begin < 0 ? 0 : begin;
}

Line prepared_line(const ResizeAxis& axis, const std::uint8_t* rgb, std::uint8_t* copy) noexcept {
  const std::int64_t begin = end_begin(axis);
  const auto used = static_cast<std::size_t>(3 * (axis.n_in - begin));
  __builtin_memcpy(copy, rgb + 3 * begin, used);
  __builtin_memset(copy + used, 0, static_cast<std::size_t>(3 * axis.taps + 16));
  return {rgb, copy};
}

/// Output i of kRows lines: R, G, B as 32-bit sums before rounding.
template <int kRows>
inline void sum_output(const ResizeAxis& axis, const Line (&lines)[kRows], std::int64_t i,
                       __m128i (&sums)[kRows]) noexcept {
  // Of four pixels the first two, then the last two, channel beside channel in 16 bits.
  const __m256i pairs =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                       6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i each_four = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const std::int16_t* weights = axis.weights + i * axis.taps;
  const std::int64_t first = axis.first[i];
  const bool at_end = first + axis.taps + 2 > axis.n_in;
  const std::uint8_t* pixels[kRows];
  __m256i acc[kRows];
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    pixels[r] = at_end ? lines[r].end + 3 * (first - end_begin(axis)) : lines[r].rgb + 3 * first;
    acc[r] = _mm256_setzero_si256();
  }
  for (std::int64_t t = 0; t < axis.taps; t += 4) {
    const __m128i two = _mm_loadl_epi64(as_m128i(weights + t));
    const __m256i w = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(two), each_four);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const __m256i four =
          _mm256_broadcastsi128_si256(_mm_loadu_si128(as_m128i(pixels[r] + 3 * t)));
      acc[r] = _mm256_add_epi32(acc[r], _mm256_madd_epi16(_mm256_shuffle_epi8(four, pairs), w));
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    sums[r] = _mm_add_epi32(_mm256_castsi256_si128(acc[r]), _mm256_extracti128_si256(acc[r], 1));
  }
}

/// Four outputs' R, G, B, x sums -> 12 bytes in the low part.
inline __m128i to_pixels(const __m128i (&sums)[4], __m128i half, __m128i precision) noexcept {
  const auto shifted = [&](int i) noexcept {
    return _mm_sra_epi32(_mm_add_epi32(sums[i], half), precision);
  };
  const __m128i words_low = _mm_packs_epi32(shifted(0), shifted(1));
  const __m128i words_high = _mm_packs_epi32(shifted(2), shifted(3));
  const __m128i bytes = _mm_packus_epi16(words_low, words_high);
  return _mm_shuffle_epi8(bytes,
                          _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
}

/// The first `bytes` of 12.
inline void store_pixels(std::uint8_t* target, __m128i pixels, std::int64_t bytes) noexcept {
  if (bytes >= 12) {
    const std::int32_t last = _mm_extract_epi32(pixels, 2);
    _mm_storel_epi64(static_cast<__m128i*>(static_cast<void*>(target)), pixels);
    __builtin_memcpy(target + 8, &last, 4);
    return;
  }
  alignas(16) std::uint8_t values[16];
  _mm_store_si128(static_cast<__m128i*>(static_cast<void*>(values)), pixels);
  __builtin_memcpy(target, values, static_cast<std::size_t>(bytes));
}

/// kRows lines, which share the loads of weights.
template <int kRows>
void some_lines(const ResizeLines& a, std::int64_t y) noexcept {
  const ResizeAxis& axis = a.axis;
  const std::int64_t copy_size = 3 * (2 * axis.taps + 2) + 16;
  Line lines[kRows];
  for (int r = 0; r < kRows; ++r) {
    lines[r] = prepared_line(axis, a.source + (y + r) * a.source_stride, a.scratch + r * copy_size);
  }
  const __m128i half = _mm_set1_epi32(rounding_term(axis.precision));
  const __m128i precision = _mm_cvtsi32_si128(axis.precision);
  for (std::int64_t i = 0; i < axis.n_out; i += 4) {
    __m128i sums[kRows][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      __m128i of_lines[kRows];
      // Beyond the last output, that one again.
      sum_output<kRows>(axis, lines, i + j < axis.n_out ? i + j : axis.n_out - 1, of_lines);
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) {
        sums[r][j] = of_lines[r];
      }
    }
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      store_pixels(a.target + (y + r) * a.target_stride + 3 * i,
                   to_pixels(sums[r], half, precision), 3 * (axis.n_out - i));
    }
  }
}

void lines(const ResizeLines& a) noexcept {
  std::int64_t y = 0;
  for (; y + 2 <= a.rows; y += 2) {
    some_lines<2>(a, y);
  }
  if (y < a.rows) {
    some_lines<1>(a, y);
  }
}

/// Bytes [x, x + 32) of a column pass.
inline void column_block(const ResizeColumn& a, std::int64_t x) noexcept {
  const __m256i half = _mm256_set1_epi32(rounding_term(a.precision));
  __m256i sums[4] = {half, half, half, half};
  for (std::int64_t j = 0; j < a.count; j += 2) {
    const std::uint8_t* upper = a.source + j * a.source_stride + x;
    // A last line without a partner meets the weight 0.
    const std::uint8_t* lower = j + 1 < a.count ? upper + a.source_stride : upper;
    std::int32_t two = 0;
    __builtin_memcpy(&two, a.weights + j, 4);
    const __m256i weights = _mm256_set1_epi32(two);
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256i p = _mm256_cvtepu8_epi16(_mm_loadu_si128(as_m128i(upper + 16 * i)));
      const __m256i q = _mm256_cvtepu8_epi16(_mm_loadu_si128(as_m128i(lower + 16 * i)));
      sums[2 * i] =
          _mm256_add_epi32(sums[2 * i], _mm256_madd_epi16(_mm256_unpacklo_epi16(p, q), weights));
      sums[2 * i + 1] = _mm256_add_epi32(sums[2 * i + 1],
                                         _mm256_madd_epi16(_mm256_unpackhi_epi16(p, q), weights));
    }
  }
  const __m128i precision = _mm_cvtsi32_si128(a.precision);
  for (__m256i& sum : sums) {
    sum = _mm256_sra_epi32(sum, precision);
  }
  // Packing undoes what unpacking did within 128 bits; the quarters then lie in the order 0, 2,
  // 1, 3.
  const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]),
                                            _mm256_packs_epi32(sums[2], sums[3]));
  _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(a.target + x)),
                      _mm256_permute4x64_epi64(bytes, 0xD8));
}

void column(const ResizeColumn& a) noexcept {
  std::int64_t x = 0;
  for (; x + 32 <= a.size; x += 32) {
    column_block(a, x);
  }
  if (x == a.size) {
    return;
  }
  if (a.size >= 32) {
    column_block(a, a.size - 32);  // some bytes twice, with the same result
    return;
  }
  for (; x < a.size; ++x) {
    std::int32_t sum = rounding_term(a.precision);
    for (std::int64_t j = 0; j < a.count; ++j) {
      sum += a.source[j * a.source_stride + x] * a.weights[j];
    }
    const std::int32_t value = sum >> a.precision;
    a.target[x] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

}  // namespace

constinit const ResizePasses kAvx2ResizePasses{"avx2", lines, column};

}  // namespace nolens
