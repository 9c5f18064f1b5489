// Attention of a few query rows over a cache, tile of keys by tile of keys (Dao 2023,
// FlashAttention-2, algorithm 1): scores of a tile, running maximum and sum of the softmax,
// rescaled output.
//
// A row's arithmetic depends on its own visible keys and on the tiles' borders, which are absolute
// positions. Keys outside its range are left out by selection, never by multiplication: what lies
// in their slots, NaN included, has no effect. Tiles without a visible key are skipped.
#pragma once

#include "kernels/cpu/generic/elementwise.inl"
#include "kernels/cpu/generic/linear.inl"

namespace nolens {
namespace {

// 16 accumulators, 4 vectors of V and one weight; half of that where 16 registers are all.
constexpr int kOutputRows = kTileM >= 4 ? 4 : 2;
constexpr int kOutputVecs = 4;

/// Where the scratch of one call is.
struct AttentionState {
  float* q;        // [R, S], R = rows * heads, row-major by (row, head)
  float* out;      // [R, S] sum of weights times V so far
  float* scores;   // [R, 64], then the weights
  float* maximum;  // [R]
  float* sum;      // [R]
  float* rescale;  // [R] factor that brings out and sum to the new maximum
};

/// Keys [begin, end) of the current tile that a row sees, counted from the tile's first.
struct TileRange {
  std::int64_t begin;
  std::int64_t end;
};

inline std::int64_t larger(std::int64_t a, std::int64_t b) noexcept {
  return a > b ? a : b;
}

inline TileRange visible_in_tile(const AttentionPart& a, std::int64_t row,
                                 std::int64_t tile_begin) noexcept {
  return {larger(0, a.first_visible[row] - tile_begin),
          smaller(kAttentionTile, a.last_visible[row] + 1 - tile_begin)};
}

template <class Format>
inline void score_keys(const AttentionPart& a, const AttentionState& state, std::int64_t slot,
                       TileRange keys) noexcept {
  const std::int64_t s = a.head_dim;
  const std::int64_t count = a.rows * a.heads;
  for (std::int64_t j = keys.begin / kTileN * kTileN; j < keys.end; j += kTileN) {
    const unsigned char* k = a.keys + (slot + j) * a.slot_bytes;
    std::int64_t r = 0;
    const auto tile = [&]<int kM>() noexcept {
      float sums[kM][kTileN];
      dot_tile<FloatDot<Format>, kM, kTileN>(state.q + r * s, s, k, a.slot_bytes, 0, s, sums);
#pragma GCC unroll 8
      for (int m = 0; m < kM; ++m) {
        float* scores = state.scores + (r + m) * kAttentionTile + j;
        for (int n = 0; n < kTileN; ++n) {
          scores[n] = sums[m][n] * a.scale;
        }
      }
      r += kM;
    };
    while (r + kTileM <= count) {
      tile.template operator()<kTileM>();
    }
    while (r + 2 <= count) {
      tile.template operator()<2>();
    }
    while (r < count) {
      tile.template operator()<1>();
    }
  }
}

/// Scores of one row become weights; maximum, sum and rescale move on.
inline void update_softmax(const AttentionState& state, std::int64_t r, TileRange keys) noexcept {
  float* scores = state.scores + r * kAttentionTile;
  const Vec begin = set1(static_cast<float>(keys.begin));
  const Vec end = set1(static_cast<float>(keys.end));
  const Vec hidden = set1(-__builtin_inff());
  Vec maxima = hidden;
  for (std::int64_t j = 0; j < kAttentionTile; j += Vec::kLanes) {
    const Vec index = add(lane_numbers(), set1(static_cast<float>(j)));
    const Vec seen = select(less(index, begin), hidden, load(scores + j));
    const Vec score = select(less(index, end), seen, hidden);
    store(scores + j, score);
    maxima = max(maxima, score);
  }
  const float old_maximum = state.maximum[r];
  const float tile_maximum = reduce_max(maxima);
  const float maximum = tile_maximum > old_maximum ? tile_maximum : old_maximum;
  Vec weight_sum = zero();
  for (std::int64_t j = 0; j < kAttentionTile; j += Vec::kLanes) {
    const Vec weight = exp(sub(load(scores + j), set1(maximum)));  // 0 for a hidden key
    store(scores + j, weight);
    weight_sum = add(weight_sum, weight);
  }
  float rescale[Vec::kLanes];
  store(rescale, exp(set1(old_maximum - maximum)));
  state.maximum[r] = maximum;
  state.rescale[r] = rescale[0];
  state.sum[r] = state.sum[r] * rescale[0] + reduce_add(weight_sum);
}

/// out = out * rescale + weights * V for kM rows that see the same keys, kD vectors of a head.
template <class Format, int kM, int kD>
inline void add_values_tile(const AttentionPart& a, const AttentionState& state, std::int64_t slot,
                            TileRange keys, std::int64_t r, std::int64_t d) noexcept {
  Vec acc[kM][kD];
  float* out = state.out + r * a.head_dim + d;
#pragma GCC unroll 8
  for (int m = 0; m < kM; ++m) {
    const Vec rescale = set1(state.rescale[r + m]);
#pragma GCC unroll 8
    for (int i = 0; i < kD; ++i) {
      acc[m][i] = mul(load(out + m * a.head_dim + i * Vec::kLanes), rescale);
    }
  }
  const float* weights = state.scores + r * kAttentionTile;
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const unsigned char* v = a.values + (slot + j) * a.slot_bytes;
    Vec vs[kD];
#pragma GCC unroll 8
    for (int i = 0; i < kD; ++i) {
      vs[i] = Format::load(v, d + i * Vec::kLanes);
    }
#pragma GCC unroll 8
    for (int m = 0; m < kM; ++m) {
      const Vec weight = set1(weights[m * kAttentionTile + j]);
#pragma GCC unroll 8
      for (int i = 0; i < kD; ++i) {
        acc[m][i] = fma(weight, vs[i], acc[m][i]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kM; ++m) {
#pragma GCC unroll 8
    for (int i = 0; i < kD; ++i) {
      store(out + m * a.head_dim + i * Vec::kLanes, acc[m][i]);
    }
  }
}

/// The values of a head beyond the last whole vector, for one row.
template <class Format>
inline void add_values_rest(const AttentionPart& a, const AttentionState& state, std::int64_t slot,
                            TileRange keys, std::int64_t r, std::int64_t d) noexcept {
  const std::int64_t n = a.head_dim - d;
  float* out = state.out + r * a.head_dim + d;
  Vec acc = mul(load_partial(out, n), set1(state.rescale[r]));
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const Vec v = Format::load_partial(a.values + (slot + j) * a.slot_bytes, d, n);
    acc = fma(set1(state.scores[r * kAttentionTile + j]), v, acc);
  }
  store_partial(out, acc, n);
}

template <class Format, int kM>
inline void add_values_rows(const AttentionPart& a, const AttentionState& state, std::int64_t slot,
                            TileRange keys, std::int64_t r) noexcept {
  std::int64_t d = 0;
  for (; d + kOutputVecs * Vec::kLanes <= a.head_dim; d += kOutputVecs * Vec::kLanes) {
    add_values_tile<Format, kM, kOutputVecs>(a, state, slot, keys, r, d);
  }
  for (; d + Vec::kLanes <= a.head_dim; d += Vec::kLanes) {
    add_values_tile<Format, kM, 1>(a, state, slot, keys, r, d);
  }
  if (d < a.head_dim) {
    for (int m = 0; m < kM; ++m) {
      add_values_rest<Format>(a, state, slot, keys, r + m, d);
    }
  }
}

template <class Format>
inline void process_tile(const AttentionPart& a, const AttentionState& state,
                         std::int64_t tile_begin, TileRange all_keys) noexcept {
  const std::int64_t slot = tile_begin % a.capacity;
  score_keys<Format>(a, state, slot, all_keys);
  for (std::int64_t t = 0; t < a.rows;) {
    const TileRange keys = visible_in_tile(a, t, tile_begin);
    std::int64_t end = t + 1;  // rows [t, end) see the same keys
    while (end < a.rows) {
      const TileRange next = visible_in_tile(a, end, tile_begin);
      if (next.begin != keys.begin || next.end != keys.end) {
        break;
      }
      ++end;
    }
    if (keys.begin < keys.end) {
      std::int64_t r = t * a.heads;
      for (std::int64_t i = r; i < end * a.heads; ++i) {
        update_softmax(state, i, keys);
      }
      for (; r + kOutputRows <= end * a.heads; r += kOutputRows) {
        add_values_rows<Format, kOutputRows>(a, state, slot, keys, r);
      }
      for (; r < end * a.heads; ++r) {
        add_values_rows<Format, 1>(a, state, slot, keys, r);
      }
    }
    t = end;
  }
}

template <class Format>
void attention(const AttentionPart& a) noexcept {
  const std::int64_t s = a.head_dim;
  const std::int64_t count = a.rows * a.heads;
  AttentionState state{};
  state.q = a.scratch;
  state.out = state.q + count * s;
  state.scores = state.out + count * s;
  state.maximum = state.scores + count * kAttentionTile;
  state.sum = state.maximum + count;
  state.rescale = state.sum + count;

  std::int64_t first = INT64_MAX;  // of the keys that any row sees
  std::int64_t last = -1;
  for (std::int64_t t = 0; t < a.rows; ++t) {
    if (a.first_visible[t] <= a.last_visible[t]) {
      first = smaller(first, a.first_visible[t]);
      last = larger(last, a.last_visible[t]);
    }
    for (std::int64_t h = 0; h < a.heads; ++h) {
      const std::int64_t r = t * a.heads + h;
      map1(a.q + t * a.q_stride + h * s, s, state.q + r * s, [](Vec v) { return v; });
      map1(state.q + r * s, s, state.out + r * s, [](Vec) { return zero(); });
      state.maximum[r] = -__builtin_inff();
      state.sum[r] = 0.0F;
    }
  }
  if (first <= last) {
    for (std::int64_t tile = first / kAttentionTile * kAttentionTile; tile <= last;
         tile += kAttentionTile) {
      const TileRange keys{larger(0, first - tile), smaller(kAttentionTile, last + 1 - tile)};
      process_tile<Format>(a, state, tile, keys);
    }
  }
  for (std::int64_t r = 0; r < count; ++r) {
    // A row that sees no key is zero.
    const Vec divisor =
        set1(state.maximum[r] == -__builtin_inff() && state.sum[r] == 0.0F ? 1.0F : state.sum[r]);
    map1(state.out + r * s, s, a.y + r / a.heads * a.y_stride + r % a.heads * s,
         [divisor](Vec v) { return div(v, divisor); });
  }
}

}  // namespace
}  // namespace nolens
