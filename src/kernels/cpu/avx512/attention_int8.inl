// Attention with an int8 cache: queries are rotated as the keys were and rounded to int8 per 64
// dimensions; weights, times the scales of their values, to unsigned bytes per row and tile.
// vpdpbusd adds four products to each of 16 lanes; integer sums are exact.
#pragma once

#include "kernels/cpu/generic/attention_formats.inl"

namespace nolens {
namespace {

/// Scores: 4 rows by 2 vectors of integer sums and as many of float sums. Outputs: 6 by 4 integer
/// sums.
struct Int8Products {
  static constexpr int kScoreRows = 4;
  static constexpr int kScoreVecs = 2;
  static constexpr int kOutRows = 6;
  static constexpr int kOutVecs = 4;
  static constexpr bool kSharesHidden = true;  // weights of hidden keys are 0, and so are products

  /// A query of S floats' room: S int8, then per 64 of them a scale and 128 times their sum.
  struct Query {
    const std::uint32_t* quads;  ///< [S / 4]
    const float* scales;         ///< [S / 64]
    const std::int32_t* offsets;
  };
  static Query query(const AttentionState& state, std::int64_t r) noexcept {
    const float* row = state.q + r * state.size;
    const float* scales = row + state.size / 4;
    return {reinterpret_cast<const std::uint32_t*>(row), scales,
            reinterpret_cast<const std::int32_t*>(scales + groups(state))};
  }
  static std::int64_t groups(const AttentionState& state) noexcept {
    return (state.size + kDimsPerScale - 1) / kDimsPerScale;
  }
  static std::uint32_t* weights(const AttentionState& state, std::int64_t r) noexcept {
    return reinterpret_cast<std::uint32_t*>(state.scores + r * kTileSlots);
  }

  static void load_query(const AttentionState& state, const float* q, std::int64_t head_dim,
                         std::int64_t r) noexcept {
    HeadBuffer<float> head;
    pad_head(q, head_dim, head);
    const std::int64_t size = rotation_of(state.size);
    rotate(head.values, state.size, size);
    float* row = state.q + r * state.size;
    float* scales = row + state.size / 4;
    auto* offsets = reinterpret_cast<std::int32_t*>(scales + groups(state));
    auto* bytes = reinterpret_cast<std::int8_t*>(row);
    for (std::int64_t d = 0; d < state.size; d += kDimsPerScale) {
      const std::int64_t count = lesser(kDimsPerScale, state.size - d);
      const float scale = round_to_int8(head.values + d, count, bytes + d);
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        sum += bytes[d + i];
      }
      scales[d / kDimsPerScale] = scale / static_cast<float>(size);
      offsets[d / kDimsPerScale] = -128 * sum;
    }
  }

  template <int kM, int kN>
  static void scores(const AttentionState& state, const unsigned char* keys, std::int64_t r,
                     std::int64_t j) noexcept {
    Query q[kM];
    __m512 total[kM][kN];
    unrolled<kM>([&]<int m>() noexcept {
      q[m] = query(state, r + m);
      unrolled<kN>([&]<int n>() noexcept { total[m][n] = _mm512_setzero_ps(); });
    });
    const unsigned char* k = keys + j * 4;
    const unsigned char* scales = key_scales(state, keys) + j * 4;
    for (std::int64_t g = 0; g < groups(state); ++g, scales += kTileSlots * 4) {
      __m512i acc[kM][kN];
      unrolled<kM>([&]<int m>() noexcept {
        unrolled<kN>([&]<int n>() noexcept { acc[m][n] = _mm512_set1_epi32(q[m].offsets[g]); });
      });
      const std::int64_t end = lesser(state.size, (g + 1) * kDimsPerScale) / 4;
      for (std::int64_t i = g * (kDimsPerScale / 4); i < end; ++i, k += kTileSlots * 4) {
        __m512i ks[kN];
        unrolled<kN>([&]<int n>() noexcept { ks[n] = _mm512_loadu_si512(k + n * 64); });
        unrolled<kM>([&]<int m>() noexcept {
          const __m512i quad = _mm512_set1_epi32(static_cast<int>(q[m].quads[i]));
          unrolled<kN>(
              [&]<int n>() noexcept { acc[m][n] = _mm512_dpbusd_epi32(acc[m][n], ks[n], quad); });
        });
      }
      unrolled<kN>([&]<int n>() noexcept {
        const __m512 key_scale = _mm512_loadu_ps(static_cast<const void*>(scales + n * 64));
        unrolled<kM>([&]<int m>() noexcept {
          const __m512 scale = _mm512_mul_ps(key_scale, _mm512_set1_ps(q[m].scales[g]));
          total[m][n] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[m][n]), scale, total[m][n]);
        });
      });
    }
    float* out = state.scores + r * kTileSlots + j;
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kN>(
          [&]<int n>() noexcept { _mm512_storeu_ps(out + m * kTileSlots + n * 16, total[m][n]); });
    });
  }

  static float finish_weights(const AttentionState& state, const unsigned char* values,
                              std::int64_t r, TileRange keys) noexcept {
    const float* floats = state.scores + r * kTileSlots;
    const unsigned char* scales = values + state.size * kTileSlots;
    const std::uint64_t seen = (keys.end == kTileSlots ? 0 : std::uint64_t{1} << keys.end) -
                               (std::uint64_t{1} << keys.begin);
    __m512 sum = _mm512_setzero_ps();
    __m512 peak = _mm512_setzero_ps();
    __m512 not_finite = _mm512_setzero_ps();  // 0, or NaN if a scaled weight is not finite
    __m512 scaled[4];
    unrolled<4>([&]<int i>() noexcept {
      const auto mask = static_cast<__mmask16>(seen >> (16 * i));
      const __m512 weight = _mm512_loadu_ps(floats + i * 16);
      sum = _mm512_add_ps(sum, weight);
      scaled[i] = _mm512_maskz_mul_ps(mask, weight,
                                      _mm512_loadu_ps(static_cast<const void*>(scales + i * 64)));
      peak = _mm512_max_ps(peak, scaled[i]);
      not_finite = _mm512_fmadd_ps(scaled[i], _mm512_setzero_ps(), not_finite);
    });
    const float largest = reduce_max(Vec{peak});
    const float inverse = largest > 0x1p-100F ? 255.0F / largest : 0.0F;
    auto* to = reinterpret_cast<unsigned char*>(weights(state, r));
    unrolled<4>([&]<int i>() noexcept {
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(scaled[i], _mm512_set1_ps(inverse)));
      _mm_storeu_si128(static_cast<__m128i*>(static_cast<void*>(to + i * 16)),
                       _mm512_cvtusepi32_epi8(rounded));
    });
    state.row_scale[r] = largest / 255.0F + reduce_add(Vec{not_finite});
    return reduce_add(Vec{sum});
  }

  template <int kM, int kD>
  static void add_values(const AttentionState& state, const unsigned char* values, TileRange keys,
                         std::int64_t r, std::int64_t d) noexcept {
    __m512i acc[kM][kD];
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kD>([&]<int n>() noexcept { acc[m][n] = _mm512_setzero_si512(); });
    });
    const std::uint32_t* w = weights(state, r);
    for (std::int64_t quad = keys.begin / 4; quad * 4 < keys.end; ++quad) {
      const unsigned char* v = values + (quad * state.size + d) * 4;
      __m512i vs[kD];
      unrolled<kD>([&]<int n>() noexcept { vs[n] = _mm512_loadu_si512(v + n * 64); });
      unrolled<kM>([&]<int m>() noexcept {
        const __m512i weight = _mm512_set1_epi32(static_cast<int>(w[m * kTileSlots + quad]));
        unrolled<kD>(
            [&]<int n>() noexcept { acc[m][n] = _mm512_dpbusd_epi32(acc[m][n], weight, vs[n]); });
      });
    }
    float* out = state.segment.out + r * state.size + d;
    unrolled<kM>([&]<int m>() noexcept {
      const __m512 rescale = _mm512_set1_ps(state.rescale[r + m]);
      const __m512 scale = _mm512_set1_ps(state.row_scale[r + m]);
      unrolled<kD>([&]<int n>() noexcept {
        float* to = out + m * state.size + n * 16;
        const __m512 old = _mm512_mul_ps(_mm512_loadu_ps(to), rescale);
        _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[m][n]), scale, old));
      });
    });
  }

  static void finish_output(float* out, std::int64_t size) noexcept {
    FloatProducts<Int8Units<true>, Int8Units<false>>::finish_output(out, size);
  }
};

}  // namespace
}  // namespace nolens
