// Products of float queries and weights with every type of cache, in float.
//
// A Units says how a lane's 32 bits or less become floats: kCount elements side by side, kBytes.
#pragma once

#include "kernels/cpu/generic/attention.inl"

namespace nolens {
namespace {

// Float sums are cut after so many dimensions, which keeps the error of a score that of a short
// sum.
constexpr std::int64_t kScoreBlock = 128;

/// f.operator()<i>() for i = 0 … kCount - 1.
template <int kCount, int kFrom = 0, class Function>
inline void unrolled(Function f) noexcept {
  if constexpr (kFrom < kCount) {
    f.template operator()<kFrom>();
    unrolled<kCount, kFrom + 1>(f);
  }
}

struct F32Units {
  static constexpr int kCount = 1;
  static constexpr int kBytes = 4;
  static constexpr std::int64_t kBlock = kScoreBlock;
  static constexpr bool kScaled = false;
  template <int kIndex>
  static Vec element(const unsigned char* p) noexcept {
    return load_f32(p);
  }
};

struct F16Units : F32Units {
  static constexpr int kBytes = 2;
  template <int kIndex>
  static Vec element(const unsigned char* p) noexcept {
    return load_f16(p);
  }
};

struct Bf16Units : F32Units {
  static constexpr int kCount = 2;
  template <int kIndex>
  static Vec element(const unsigned char* p) noexcept {
    const Ints pair = bits_of(load_f32(p));
    if constexpr (kIndex == 0) {
      return from_bits(shift_left<16>(pair));
    } else {
      return from_bits(bit_and(pair, -65536));
    }
  }
};

/// Bytes; keys are stored plus 128 already.
template <bool kIsKey>
struct Int8Units : F32Units {
  static constexpr int kCount = 4;
  static constexpr std::int64_t kBlock = kDimsPerScale;
  static constexpr bool kScaled = true;
  template <int kIndex>
  static Vec element(const unsigned char* p) noexcept {
    Ints byte = bits_of(load_f32(p));
    if constexpr (kIndex > 0) {
      byte = shift_right<8 * kIndex>(byte);
    }
    if constexpr (!kIsKey) {
      byte = add(byte, 128);
    }
    return sub(to_floats(bit_and(byte, 255)), set1(128.0F));
  }
};

inline const unsigned char* key_scales(const AttentionState& state,
                                       const unsigned char* keys) noexcept {
  return keys + state.size * kTileSlots;
}

template <class KeyUnits, class ValueUnits>
struct FloatProducts {
  static constexpr int kScoreRows = kTileM;
  static constexpr int kScoreVecs = 4;
  static constexpr int kOutRows = kTileM;
  static constexpr int kOutVecs = 4;
  static constexpr bool kSharesHidden = false;

  static void load_query(const AttentionState& state, const float* q, std::int64_t head_dim,
                         std::int64_t r) noexcept {
    float* row = state.q + r * state.size;
    for (std::int64_t d = 0; d < state.size; ++d) {
      row[d] = d < head_dim ? q[d] : 0.0F;
    }
    if constexpr (KeyUnits::kScaled) {
      const std::int64_t size = rotation_of(state.size);
      rotate(row, state.size, size);
      scale_values(1.0F / static_cast<float>(size), state.size, row);
    }
  }

  /// Scores of rows [r, r + kM) with positions [j, j + kN * W) of a tile.
  template <int kM, int kN>
  static void scores(const AttentionState& state, const unsigned char* keys, std::int64_t r,
                     std::int64_t j) noexcept {
    const float* q = state.q + r * state.size;
    float* out = state.scores + r * kTileSlots + j;
    for (std::int64_t block = 0; block < state.size; block += KeyUnits::kBlock) {
      Vec acc[kM][kN];
      unrolled<kM>(
          [&]<int m>() noexcept { unrolled<kN>([&]<int n>() noexcept { acc[m][n] = zero(); }); });
      const std::int64_t end = lesser(state.size, block + KeyUnits::kBlock);
      for (std::int64_t d = block; d < end; d += KeyUnits::kCount) {
        const unsigned char* units =
            keys + (d / KeyUnits::kCount * kTileSlots + j) * KeyUnits::kBytes;
        unrolled<KeyUnits::kCount>([&]<int i>() noexcept {
          unrolled<kN>([&]<int n>() noexcept {
            const Vec k = KeyUnits::template element<i>(units + n * Vec::kLanes * KeyUnits::kBytes);
            unrolled<kM>([&]<int m>() noexcept {
              acc[m][n] = fma(set1(q[m * state.size + d + i]), k, acc[m][n]);
            });
          });
        });
      }
      unrolled<kM>([&]<int m>() noexcept {
        unrolled<kN>([&]<int n>() noexcept {
          float* sum = out + m * kTileSlots + n * Vec::kLanes;
          Vec score = acc[m][n];
          if constexpr (KeyUnits::kScaled) {
            const unsigned char* scales = key_scales(state, keys) +
                                          (block / kDimsPerScale * kTileSlots + j) * 4 +
                                          n * Vec::kLanes * 4;
            score = mul(score, load_f32(scales));
          }
          store(sum, block == 0 ? score : add(load(sum), score));
        });
      });
    }
  }

  /// Returns the sum of the weights.
  static float finish_weights(const AttentionState& state, const unsigned char* values,
                              std::int64_t r, TileRange keys) noexcept {
    float* weights = state.scores + r * kTileSlots;
    Vec sum = zero();
    for (std::int64_t j = 0; j < kTileSlots; j += Vec::kLanes) {
      sum = add(sum, load(weights + j));
    }
    if constexpr (ValueUnits::kScaled) {
      const unsigned char* scales = values + state.size * kTileSlots;
      for (std::int64_t j = keys.begin; j < keys.end; ++j) {
        float scale = 0.0F;
        __builtin_memcpy(&scale, scales + j * 4, 4);
        weights[j] *= scale;
      }
    }
    return reduce_add(sum);
  }

  /// out = out * rescale + weights * V for rows [r, r + kM) that see the same keys.
  template <int kM, int kD>
  static void add_values(const AttentionState& state, const unsigned char* values, TileRange keys,
                         std::int64_t r, std::int64_t d) noexcept {
    Vec acc[kM][kD];
    float* out = state.segment.out + r * state.size + d;
    unrolled<kM>([&]<int m>() noexcept {
      const Vec rescale = set1(state.rescale[r + m]);
      unrolled<kD>([&]<int i>() noexcept {
        acc[m][i] = mul(load(out + m * state.size + i * Vec::kLanes), rescale);
      });
    });
    const float* weights = state.scores + r * kTileSlots;
    constexpr int kCount = ValueUnits::kCount;
    for (std::int64_t j = keys.begin / kCount * kCount; j < keys.end; j += kCount) {
      const unsigned char* units = values + (j / kCount * state.size + d) * ValueUnits::kBytes;
      unrolled<kCount>([&]<int i>() noexcept {
        if (j + i < keys.begin || j + i >= keys.end) {
          return;
        }
        unrolled<kD>([&]<int n>() noexcept {
          const Vec v =
              ValueUnits::template element<i>(units + n * Vec::kLanes * ValueUnits::kBytes);
          unrolled<kM>([&]<int m>() noexcept {
            acc[m][n] = fma(set1(weights[m * kTileSlots + j + i]), v, acc[m][n]);
          });
        });
      });
    }
    unrolled<kM>([&]<int m>() noexcept {
      unrolled<kD>(
          [&]<int i>() noexcept { store(out + m * state.size + i * Vec::kLanes, acc[m][i]); });
    });
  }

  static void finish_output(float* out, std::int64_t size) noexcept {
    if constexpr (ValueUnits::kScaled) {
      const std::int64_t rotation = rotation_of(size);
      rotate(out, size, rotation);
      scale_values(1.0F / static_cast<float>(rotation), size, out);
    }
  }
};

template <class Products>
constexpr void set_attention(KernelTable& table, KvType type) noexcept {
  table.attention[static_cast<int>(type)] = attention<Products>;
  table.merge_attention[static_cast<int>(type)] = merge_attention<Products>;
}

constexpr void set_generic_attention(KernelTable& table) noexcept {
  set_attention<FloatProducts<F32Units, F32Units>>(table, KvType::kF32);
  set_attention<FloatProducts<F16Units, F16Units>>(table, KvType::kF16);
  set_attention<FloatProducts<Bf16Units, Bf16Units>>(table, KvType::kBf16);
  set_attention<FloatProducts<Int8Units<true>, Int8Units<false>>>(table, KvType::kInt8);
  table.store_key[static_cast<int>(KvType::kF32)] = store_key<float, 1>;
  table.store_key[static_cast<int>(KvType::kF16)] = store_key<Half, 1>;
  table.store_key[static_cast<int>(KvType::kBf16)] = store_key<std::uint16_t, 2>;
  table.store_key[static_cast<int>(KvType::kInt8)] = store_key_int8;
  table.store_value[static_cast<int>(KvType::kF32)] = store_value<float, 1>;
  table.store_value[static_cast<int>(KvType::kF16)] = store_value<Half, 1>;
  table.store_value[static_cast<int>(KvType::kBf16)] = store_value<std::uint16_t, 2>;
  table.store_value[static_cast<int>(KvType::kInt8)] = store_value_int8;
}

}  // namespace
}  // namespace nolens
