// Attention with a bfloat16 cache: queries and weights are rounded to bfloat16, vdpbf16ps adds two
// products to each of 16 lanes. The sum of a row's weights is that of the rounded ones, so that the
// rounding leaves no bias.
#pragma once

#include "kernels/cpu/generic/attention_formats.inl"

namespace nolens {
namespace {

/// 6 rows by 4 vectors are 24 accumulators; 4 loads and 6 broadcasts per 24 products.
struct Bf16Products {
  static constexpr int kScoreRows = 6;
  static constexpr int kScoreVecs = 4;
  static constexpr int kOutRows = 6;
  static constexpr int kOutVecs = 4;
  static constexpr bool kSharesHidden = false;

  static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) noexcept {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  static std::uint32_t* query(const AttentionState& state, std::int64_t r) noexcept {
    return reinterpret_cast<std::uint32_t*>(state.q) + r * (state.size / 2);
  }
  static std::uint32_t* weights(const AttentionState& state, std::int64_t r) noexcept {
    return reinterpret_cast<std::uint32_t*>(state.scores + r * kTileSlots);
  }

  static void load_query(const AttentionState& state, const float* q, std::int64_t head_dim,
                         std::int64_t r) noexcept {
    auto* row = reinterpret_cast<unsigned char*>(query(state, r));
    for (std::int64_t d = 0; d < state.size; ++d) {
      const std::uint16_t bits = d < head_dim ? nearest_bf16(q[d]) : std::uint16_t{0};
      __builtin_memcpy(row + 2 * d, &bits, 2);
    }
  }

  template <int kM, int kN>
  static void scores(const AttentionState& state, const unsigned char* keys, std::int64_t r,
                     std::int64_t j) noexcept {
    const std::uint32_t* q = query(state, r);
    const std::int64_t pairs = state.size / 2;
    const unsigned char* k = keys + j * 4;
    __m512 acc[kM][kN];
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kN>([&]<int n>() noexcept { acc[m][n] = _mm512_setzero_ps(); });
    });
    for (std::int64_t i = 0; i < pairs; ++i, k += kTileSlots * 4) {
      __m512i ks[kN];
      unrolled<kN>([&]<int n>() noexcept { ks[n] = _mm512_loadu_si512(k + n * 64); });
      unrolled<kM>([&]<int m>() noexcept {
        const __m512i pair = _mm512_set1_epi32(static_cast<int>(q[m * pairs + i]));
        unrolled<kN>([&]<int n>() noexcept { acc[m][n] = multiply_add(acc[m][n], ks[n], pair); });
      });
    }
    float* out = state.scores + r * kTileSlots + j;
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kN>(
          [&]<int n>() noexcept { _mm512_storeu_ps(out + m * kTileSlots + n * 16, acc[m][n]); });
    });
  }

  static float finish_weights(const AttentionState& state, const unsigned char*, std::int64_t r,
                              TileRange) noexcept {
    const float* floats = state.scores + r * kTileSlots;
    __m256i rounded[4];
    __m512 sum = _mm512_setzero_ps();
    unrolled<4>([&]<int i>() noexcept {
      rounded[i] = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(floats + i * 16)));
      sum = _mm512_add_ps(sum, from_bf16(rounded[i]).v);
    });
    auto* to = reinterpret_cast<unsigned char*>(weights(state, r));
    unrolled<4>([&]<int i>() noexcept {
      _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(to + i * 32)), rounded[i]);
    });
    return reduce_add(Vec{sum});
  }

  /// Hidden values beside visible ones are left out by a mask: their weight is 0, but they may be
  /// NaN.
  template <int kM, int kD>
  static void add_values(const AttentionState& state, const unsigned char* values, TileRange keys,
                         std::int64_t r, std::int64_t d) noexcept {
    __m512 acc[kM][kD];
    float* out = state.segment.out + r * state.size + d;
    unrolled<kM>([&]<int m>() noexcept {
      const __m512 rescale = _mm512_set1_ps(state.rescale[r + m]);
      unrolled<kD>([&]<int n>() noexcept {
        acc[m][n] = _mm512_mul_ps(_mm512_loadu_ps(out + m * state.size + n * 16), rescale);
      });
    });
    const std::uint32_t* w = weights(state, r);
    const auto add_pair = [&](std::int64_t pair, auto load_values) noexcept {
      const unsigned char* v = values + (pair * state.size + d) * 4;
      __m512i vs[kD];
      unrolled<kD>([&]<int n>() noexcept { vs[n] = load_values(v + n * 64); });
      unrolled<kM>([&]<int m>() noexcept {
        const __m512i weight = _mm512_set1_epi32(static_cast<int>(w[m * kTileSlots + pair]));
        unrolled<kD>([&]<int n>() noexcept { acc[m][n] = multiply_add(acc[m][n], vs[n], weight); });
      });
    };
    const auto first_half = [](const unsigned char* v) noexcept {
      return _mm512_maskz_loadu_epi16(0x5555'5555U, v);
    };
    const auto second_half = [](const unsigned char* v) noexcept {
      return _mm512_maskz_loadu_epi16(0xAAAA'AAAAU, v);
    };
    const auto both = [](const unsigned char* v) noexcept { return _mm512_loadu_si512(v); };
    if (keys.begin % 2 != 0) {
      add_pair(keys.begin / 2, second_half);
    }
    for (std::int64_t pair = (keys.begin + 1) / 2; pair < keys.end / 2; ++pair) {
      add_pair(pair, both);
    }
    if (keys.end % 2 != 0 && keys.end - 1 >= keys.begin) {
      add_pair(keys.end / 2, first_half);
    }
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kD>(
          [&]<int n>() noexcept { _mm512_storeu_ps(out + m * state.size + n * 16, acc[m][n]); });
    });
  }

  static void finish_output(float*, std::int64_t) noexcept {}
};

}  // namespace
}  // namespace nolens
