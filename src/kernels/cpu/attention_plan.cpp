// Item sizes and the checks of an attention call.
#include "kernels/cpu/attention_plan.h"

#include <algorithm>
#include <limits>

#include "core/check.h"
#include "core/checked_math.h"

namespace nolens {
namespace {

static_assert(kAttentionTile == kKeyTile);

// A tile of keys or values is read from far away once per item, so items are large: queries and
// outputs of at most 2 * 128 KiB share a level 2 cache with a tile of 64 * 2 KiB. Measured on Zen 4
// with S = 512: 32768 is 1.6 times as fast as 8192; with S = 256 all sizes from 8192 are equal.
constexpr std::int64_t kQueryFloats = 32768;
constexpr std::int64_t kMaxRowsTimesHeads = 64;

std::int64_t kv_element_size(KvType type) noexcept {
  return type == KvType::kF32 ? 4 : 2;
}

}  // namespace

void check_sequence(const SequenceSlice& sequence, std::int64_t rows) {
  NOLENS_CHECK(sequence.first_row >= 0 && sequence.row_count >= 0 && sequence.first_position >= 0);
  NOLENS_CHECK(sequence.first_row + sequence.row_count <= rows);
  NOLENS_CHECK(sequence.kv.keys != nullptr && sequence.kv.values != nullptr);
  NOLENS_CHECK(sequence.kv.capacity > 0 && sequence.kv.capacity % kKeyTile == 0);
}

void check_attention(const AttentionArgs& args) {
  NOLENS_CHECK(args.num_key_value_heads > 0 && args.head_dim > 0 && args.num_attention_heads > 0 &&
               args.num_attention_heads % args.num_key_value_heads == 0);
  NOLENS_CHECK(args.q.cols == args.num_attention_heads * args.head_dim);
  NOLENS_CHECK(static_cast<std::int64_t>(args.first_visible.size()) == args.q.rows &&
               static_cast<std::int64_t>(args.last_visible.size()) == args.q.rows);
  for (const SequenceSlice& sequence : args.sequences) {
    check_sequence(sequence, args.q.rows);
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    std::int64_t last = -1;
    for (std::int64_t i = 0; i < sequence.row_count; ++i) {
      const auto t = static_cast<std::size_t>(sequence.first_row + i);
      NOLENS_CHECK(args.first_visible[t] >= 0);
      if (args.first_visible[t] <= args.last_visible[t]) {
        first = std::min(first, args.first_visible[t]);
        last = std::max(last, args.last_visible[t]);
      }
    }
    NOLENS_CHECK(last < 0 || last - first < sequence.kv.capacity);
  }
}

const AttentionPlan& AttentionPlanner::make(const AttentionArgs& args, int num_threads) {
  const std::int64_t group = args.num_attention_heads / args.num_key_value_heads;
  const std::int64_t most =
      std::clamp<std::int64_t>(kQueryFloats / args.head_dim, 1, kMaxRowsTimesHeads);
  std::int64_t heads = std::min(group, most);
  const std::int64_t rows = std::max<std::int64_t>(1, most / heads);

  // Decoding one sequence with one key/value head would give one item: share its heads out.
  std::int64_t row_blocks = 0;
  for (const SequenceSlice& sequence : args.sequences) {
    row_blocks += ceil_div(sequence.row_count, rows);
  }
  const std::int64_t items = row_blocks * args.num_key_value_heads;
  if (items > 0 && items < num_threads) {
    heads = std::min(heads, ceil_div(group, ceil_div(num_threads, items)));
  }

  plan_.items.clear();
  for (std::size_t s = 0; s < args.sequences.size(); ++s) {
    const SequenceSlice& sequence = args.sequences[s];
    const std::int64_t end = sequence.first_row + sequence.row_count;
    for (std::int64_t head = 0; head < args.num_attention_heads;
         head = std::min(head + heads, (head / group + 1) * group)) {
      const std::int64_t head_end = std::min(head + heads, (head / group + 1) * group);
      for (std::int64_t row = sequence.first_row; row < end; row += rows) {
        plan_.items.push_back(
            {static_cast<std::int64_t>(s), row, std::min(row + rows, end), head, head_end});
      }
    }
  }
  const auto keys_seen = [&args](const AttentionItem& item) {
    const auto row = static_cast<std::size_t>(item.row_end - 1);
    return args.last_visible[row] - args.first_visible[row];
  };
  std::sort(
      plan_.items.begin(), plan_.items.end(),
      [&](const AttentionItem& a, const AttentionItem& b) { return keys_seen(a) > keys_seen(b); });
  plan_.scratch_floats = round_up(rows * heads * (2 * args.head_dim + kAttentionScratchPerRow), 16);
  return plan_;
}

void run_attention_item(const KernelTable& table, const AttentionArgs& args,
                        const AttentionItem& item, float* scratch, Matrix y) {
  const SequenceSlice& sequence = args.sequences[static_cast<std::size_t>(item.sequence)];
  const KvView& kv = sequence.kv;
  const std::int64_t group = args.num_attention_heads / args.num_key_value_heads;
  const std::int64_t head_bytes = args.head_dim * kv_element_size(kv.type);
  const std::int64_t offset = item.head_begin / group * head_bytes;
  AttentionPart part{};
  part.q = args.q.row(item.row_begin) + item.head_begin * args.head_dim;
  part.q_stride = args.q.stride;
  part.y = y.row(item.row_begin) + item.head_begin * args.head_dim;
  part.y_stride = y.stride;
  part.rows = item.row_end - item.row_begin;
  part.heads = item.head_end - item.head_begin;
  part.head_dim = args.head_dim;
  part.keys = reinterpret_cast<const unsigned char*>(kv.keys + offset);
  part.values = reinterpret_cast<const unsigned char*>(kv.values + offset);
  part.slot_bytes = args.num_key_value_heads * head_bytes;
  part.capacity = kv.capacity;
  part.first_visible = args.first_visible.data() + item.row_begin;
  part.last_visible = args.last_visible.data() + item.row_begin;
  part.scale = args.scale;
  part.scratch = scratch;
  (kv.type == KvType::kF32 ? table.attention_f32 : table.attention_f16)(part);
}

}  // namespace nolens
