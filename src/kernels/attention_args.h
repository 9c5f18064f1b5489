// What an attention call sees of a cache.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.h"
#include "kernels/kv_type.h"

namespace nolens {

/// Keys and values of one layer and one sequence, position p in slot p % capacity, laid out as
/// kv_layout.h says. capacity is a multiple of kKeyTile.
struct KvView {
  KvType type = KvType::kF32;
  std::byte* keys = nullptr;    ///< [capacity / kKeyTile, num_heads, key_tile_bytes()]
  std::byte* values = nullptr;  ///< [capacity / kKeyTile, num_heads, value_tile_bytes()]
  std::int64_t capacity = 0;
  std::int64_t num_heads = 0;
  std::int64_t head_dim = 0;
};

/// Consecutive rows of a step that belong to one sequence.
struct SequenceSlice {
  KvView kv;
  std::int64_t first_row = 0;  ///< in the step's matrices
  std::int64_t row_count = 0;
  std::int64_t first_position = 0;  ///< position of first_row in the sequence
};

/// Row t sees exactly the keys first_visible[t] … last_visible[t] of its own sequence: every mask
/// rule of this model family is such a range. All of them are in the cache when attention runs.
struct AttentionArgs {
  ConstMatrix q;  ///< [T, num_attention_heads * head_dim]
  std::span<const SequenceSlice> sequences;
  std::span<const std::int64_t> first_visible;  ///< [T]
  std::span<const std::int64_t> last_visible;   ///< [T]
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  float scale = 1.0F;
};

}  // namespace nolens
