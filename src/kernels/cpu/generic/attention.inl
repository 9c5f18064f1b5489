// Attention of a few query rows over a cache, tile of keys by tile of keys (Dao 2023,
// FlashAttention-2, algorithm 1): scores of a tile, running maximum and sum of the softmax,
// rescaled output. Every 1024 positions the sums are merged into those of the positions before.
//
// A row's arithmetic depends on its own visible keys and on the borders of tiles and segments,
// which are absolute positions. Keys outside its range are left out by selection, never by
// multiplication: what lies in their slots, NaN included, has no effect. Tiles without a visible
// key are skipped.
//
// A Products says how one type of cache is multiplied:
//   kScoreRows, kScoreVecs    register tile of scores: rows, vectors of W positions
//   kOutRows, kOutVecs        register tile of outputs: rows, vectors of W dimensions
//   kSharesHidden             whether rows that see different keys may share a tile of outputs
//   load_query, scores, finish_weights, add_values, finish_output
#pragma once

#include "kernels/cpu/generic/elementwise.inl"
#include "kernels/cpu/generic/kv_store.inl"

namespace nolens {
namespace {

inline std::int64_t lesser(std::int64_t a, std::int64_t b) noexcept {
  return a < b ? a : b;
}
inline std::int64_t larger(std::int64_t a, std::int64_t b) noexcept {
  return a > b ? a : b;
}

/// Where the scratch of one call is. R = rows * heads, row-major by (row, head).
struct AttentionState {
  std::int64_t size;  ///< S: head_dim rounded up to 16
  float* q;           ///< [R, S] as the Products keeps it
  float* scores;      ///< [R, 64] of a tile; then the weights as the Products keeps them
  float* rescale;     ///< [R] factor that brings the segment's sums to the new maximum
  float* row_scale;   ///< [R] the Products' own
  SoftmaxState segment;
  SoftmaxState total;
};

/// Keys [begin, end) of the current tile, counted from the tile's first.
struct TileRange {
  std::int64_t begin;
  std::int64_t end;
};

inline TileRange visible_in_tile(const AttentionPart& a, std::int64_t row,
                                 std::int64_t tile_begin) noexcept {
  return {larger(0, a.first_visible[row] - tile_begin),
          lesser(kTileSlots, a.last_visible[row] + 1 - tile_begin)};
}

/// The keys that any of rows [r, r + count) of R sees.
inline TileRange seen_by(const AttentionPart& a, std::int64_t r, std::int64_t count,
                         std::int64_t tile_begin) noexcept {
  TileRange all{kTileSlots, 0};
  for (std::int64_t t = r / a.heads; t <= (r + count - 1) / a.heads; ++t) {
    const TileRange keys = visible_in_tile(a, t, tile_begin);
    if (keys.begin < keys.end) {
      all = {lesser(all.begin, keys.begin), larger(all.end, keys.end)};
    }
  }
  return all;
}

/// f.operator()<kM>(r) for rows [r, end), kMost at a time and then fewer.
template <int kMost, class Function>
inline void for_row_tiles(std::int64_t r, std::int64_t end, Function f) noexcept {
  for (; r + kMost <= end; r += kMost) {
    f.template operator()<kMost>(r);
  }
  if constexpr (kMost > 4) {
    for (; r + 4 <= end; r += 4) {
      f.template operator()<4>(r);
    }
  }
  if constexpr (kMost > 2) {
    for (; r + 2 <= end; r += 2) {
      f.template operator()<2>(r);
    }
  }
  for (; r < end; ++r) {
    f.template operator()<1>(r);
  }
}

template <class Products>
inline void score_keys(const AttentionPart& a, const AttentionState& state,
                       const unsigned char* keys, std::int64_t tile_begin) noexcept {
  constexpr std::int64_t kStrip = Products::kScoreVecs * Vec::kLanes;
  for (std::int64_t j = 0; j < kTileSlots; j += kStrip) {
    for_row_tiles<Products::kScoreRows>(0, a.rows * a.heads, [&]<int kM>(std::int64_t r) noexcept {
      const TileRange seen = seen_by(a, r, kM, tile_begin);
      if (seen.begin >= j + kStrip || seen.end <= j) {
        return;
      }
      if constexpr (Products::kScoreVecs % 2 == 0) {
        constexpr int kHalf = Products::kScoreVecs / 2;
        if (seen.end <= j + kStrip / 2) {
          return Products::template scores<kM, kHalf>(state, keys, r, j);
        }
        if (seen.begin >= j + kStrip / 2) {
          return Products::template scores<kM, kHalf>(state, keys, r, j + kStrip / 2);
        }
      }
      Products::template scores<kM, Products::kScoreVecs>(state, keys, r, j);
    });
  }
}

/// Scores of one row become weights; maximum, sum and rescale move on.
template <class Products>
inline void update_softmax(const AttentionState& state, const unsigned char* values, std::int64_t r,
                           TileRange keys, float scale) noexcept {
  float* scores = state.scores + r * kTileSlots;
  const Vec begin = set1(static_cast<float>(keys.begin));
  const Vec end = set1(static_cast<float>(keys.end));
  const Vec hidden = set1(-__builtin_inff());
  Vec maxima = hidden;
#pragma GCC unroll 4
  for (std::int64_t j = 0; j < kTileSlots; j += Vec::kLanes) {
    const Vec index = add(lane_numbers(), set1(static_cast<float>(j)));
    const Vec seen = select(less(index, begin), hidden, mul(load(scores + j), set1(scale)));
    const Vec score = select(less(index, end), seen, hidden);
    store(scores + j, score);
    maxima = max(maxima, score);
  }
  const float old_maximum = state.segment.maximum[r];
  const float tile_maximum = reduce_max(maxima);
  const float maximum = tile_maximum > old_maximum ? tile_maximum : old_maximum;
#pragma GCC unroll 4
  for (std::int64_t j = 0; j < kTileSlots; j += Vec::kLanes) {
    store(scores + j, exp(sub(load(scores + j), set1(maximum))));  // 0 for a hidden key
  }
  float rescale[Vec::kLanes];
  store(rescale, exp(set1(old_maximum - maximum)));
  state.segment.maximum[r] = maximum;
  state.rescale[r] = rescale[0];
  state.segment.sum[r] =
      state.segment.sum[r] * rescale[0] + Products::finish_weights(state, values, r, keys);
}

template <class Products>
inline void add_values(const AttentionState& state, const unsigned char* values, TileRange keys,
                       std::int64_t r, std::int64_t r_end) noexcept {
  for_row_tiles<Products::kOutRows>(r, r_end, [&]<int kM>(std::int64_t row) noexcept {
    constexpr std::int64_t kWidth = Products::kOutVecs * Vec::kLanes;
    std::int64_t d = 0;
    for (; d + kWidth <= state.size; d += kWidth) {
      Products::template add_values<kM, Products::kOutVecs>(state, values, keys, row, d);
    }
    for (; d < state.size; d += Vec::kLanes) {
      Products::template add_values<kM, 1>(state, values, keys, row, d);
    }
  });
}

template <class Products>
inline void process_tile(const AttentionPart& a, const AttentionState& state,
                         std::int64_t tile) noexcept {
  const std::int64_t tile_begin = tile * kTileSlots;
  const unsigned char* values = a.values + tile % a.tiles * a.value_stride;
  score_keys<Products>(a, state, a.keys + tile % a.tiles * a.key_stride, tile_begin);
  for (std::int64_t t = 0; t < a.rows;) {
    TileRange keys = visible_in_tile(a, t, tile_begin);
    if (keys.begin >= keys.end) {
      ++t;
      continue;
    }
    std::int64_t end = t;
    for (; end < a.rows; ++end) {
      const TileRange next = visible_in_tile(a, end, tile_begin);
      const bool same = next.begin == keys.begin && next.end == keys.end;
      if (next.begin >= next.end || !(same || Products::kSharesHidden)) {
        break;
      }
      for (std::int64_t r = end * a.heads; r < (end + 1) * a.heads; ++r) {
        update_softmax<Products>(state, values, r, next, a.scale);
      }
      if (!same) {
        keys = {lesser(keys.begin, next.begin), larger(keys.end, next.end)};
      }
    }
    add_values<Products>(state, values, keys, t * a.heads, end * a.heads);
    t = end;
  }
}

inline bool is_empty(const SoftmaxState& s, std::int64_t r) noexcept {
  return s.maximum[r] == -__builtin_inff() && s.sum[r] == 0.0F;
}

inline void clear(const SoftmaxState& s, std::int64_t count, std::int64_t size) noexcept {
  map1(s.out, count * size, s.out, [](Vec) { return zero(); });
  for (std::int64_t r = 0; r < count; ++r) {
    s.maximum[r] = -__builtin_inff();
    s.sum[r] = 0.0F;
  }
}

/// total becomes the sums of both, row by row.
inline void merge(const SoftmaxState& total, const SoftmaxState& next, std::int64_t count,
                  std::int64_t size) noexcept {
  for (std::int64_t r = 0; r < count; ++r) {
    if (is_empty(next, r)) {
      continue;
    }
    float* out = total.out + r * size;
    const float* next_out = next.out + r * size;
    if (is_empty(total, r)) {
      map1(next_out, size, out, [](Vec v) { return v; });
      total.maximum[r] = next.maximum[r];
      total.sum[r] = next.sum[r];
      continue;
    }
    const float maximum = next.maximum[r] > total.maximum[r] ? next.maximum[r] : total.maximum[r];
    const Vec old_factor = exp(set1(total.maximum[r] - maximum));
    const Vec new_factor = exp(set1(next.maximum[r] - maximum));
    map2(out, next_out, size, out,
         [&](Vec a, Vec b) { return fma(b, new_factor, mul(a, old_factor)); });
    float factors[2][Vec::kLanes];
    store(factors[0], old_factor);
    store(factors[1], new_factor);
    total.sum[r] = total.sum[r] * factors[0][0] + next.sum[r] * factors[1][0];
    total.maximum[r] = maximum;
  }
}

/// y = out / sum; a row that saw no key is zero.
template <class Products>
inline void write_output(const AttentionPart& a, const SoftmaxState& total,
                         std::int64_t size) noexcept {
  for (std::int64_t r = 0; r < a.rows * a.heads; ++r) {
    const Vec divisor = set1(is_empty(total, r) ? 1.0F : total.sum[r]);
    float* out = total.out + r * size;
    Products::finish_output(out, size);
    map1(out, a.head_dim, a.y + r / a.heads * a.y_stride + r % a.heads * a.head_dim,
         [divisor](Vec v) { return div(v, divisor); });
  }
}

inline AttentionState lay_out(const AttentionPart& a) noexcept {
  const std::int64_t count = a.rows * a.heads;
  AttentionState state{};
  state.size = padded_dims(a.head_dim);
  state.q = a.scratch;
  state.segment.out = state.q + count * state.size;
  state.total.out = state.segment.out + count * state.size;
  state.scores = state.total.out + count * state.size;
  state.rescale = state.scores + count * kTileSlots;
  state.row_scale = state.rescale + count;
  state.segment.maximum = state.row_scale + count;
  state.segment.sum = state.segment.maximum + count;
  state.total.maximum = state.segment.sum + count;
  state.total.sum = state.total.maximum + count;
  return state;
}

template <class Products>
void attention(const AttentionPart& a) noexcept {
  const std::int64_t count = a.rows * a.heads;
  const AttentionState state = lay_out(a);
  std::int64_t first = INT64_MAX;  // of the keys that any row sees
  std::int64_t last = -1;
  for (std::int64_t t = 0; t < a.rows; ++t) {
    if (a.first_visible[t] <= a.last_visible[t]) {
      first = lesser(first, a.first_visible[t]);
      last = larger(last, a.last_visible[t]);
    }
    for (std::int64_t h = 0; h < a.heads; ++h) {
      Products::load_query(state, a.q + t * a.q_stride + h * a.head_dim, a.head_dim,
                           t * a.heads + h);
    }
  }
  AttentionState current = state;
  const bool all = a.segment == kAllSegments;
  if (!all) {
    current.segment = a.partial;
    first = larger(first, a.segment * kAttentionSegment);
    last = lesser(last, (a.segment + 1) * kAttentionSegment - 1);
  }
  clear(current.segment, count, state.size);
  bool merged = false;
  while (first <= last) {
    const std::int64_t end = lesser(last + 1, (first / kAttentionSegment + 1) * kAttentionSegment);
    for (std::int64_t tile = first / kTileSlots; tile * kTileSlots < end; ++tile) {
      process_tile<Products>(a, current, tile);
    }
    first = end;
    if (all && (first <= last || merged)) {
      if (!merged) {
        clear(state.total, count, state.size);
      }
      merge(state.total, state.segment, count, state.size);
      clear(state.segment, count, state.size);
      merged = true;
    }
  }
  if (all) {
    write_output<Products>(a, merged ? state.total : state.segment, state.size);
  }
}

template <class Products>
void merge_attention(const AttentionMerge& m) noexcept {
  const std::int64_t count = m.part.rows * m.part.heads;
  const AttentionState state = lay_out(m.part);
  clear(state.total, count, state.size);
  SoftmaxState next = m.part.partial;
  for (std::int64_t i = 0; i < m.count; ++i) {
    merge(state.total, next, count, state.size);
    next = {next.out + m.stride, next.maximum + m.stride, next.sum + m.stride};
  }
  write_output<Products>(m.part, state.total, state.size);
}

}  // namespace
}  // namespace nolens
