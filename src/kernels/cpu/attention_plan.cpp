// The checks of an attention call, and how it is shared out.
#include "kernels/cpu/attention_plan.h"

#include <algorithm>
#include <limits>

#include "core/check.h"
#include "core/checked_math.h"
#include "kernels/kv_layout.h"

namespace nolens {
namespace {

static_assert(kAttentionSegment % kKeyTile == 0);

// A tile of keys or values is read from far away once per item, so items are large: queries and
// outputs of at most 2 * 128 KiB share a level 2 cache with a tile of 64 * 2 KiB. Measured on Zen 4
// with S = 512: 32768 is 1.6 times as fast as 8192; with S = 256 all sizes from 8192 are equal.
constexpr std::int64_t kQueryFloats = 32768;
constexpr std::int64_t kMaxRowsTimesHeads = 64;
// Segments are computed apart only while their sums take at most 32 MiB.
constexpr std::int64_t kMostPartialFloats = std::int64_t{8} << 20;

std::int64_t partial_floats(const AttentionItem& item, std::int64_t head_dim) {
  const std::int64_t count = (item.row_end - item.row_begin) * (item.head_end - item.head_begin);
  return round_up(count * (padded_head_dim(head_dim) + 2), 16);
}

/// Positions [begin, end) that rows of the step see.
struct KeyRange {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t segments() const noexcept {
    return end <= begin ? 0 : (end - 1) / kAttentionSegment - begin / kAttentionSegment + 1;
  }
};

KeyRange keys_seen(const AttentionArgs& args, std::int64_t row_begin, std::int64_t row_end) {
  KeyRange range;
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const auto t = static_cast<std::size_t>(row);
    if (args.first_visible[t] <= args.last_visible[t]) {
      range.begin = std::min(range.begin, args.first_visible[t]);
      range.end = std::max(range.end, args.last_visible[t] + 1);
    }
  }
  return range;
}

}  // namespace

void check_sequence(const SequenceSlice& sequence, std::int64_t rows) {
  const KvView& kv = sequence.kv;
  NOLENS_CHECK(sequence.first_row >= 0 && sequence.row_count >= 0 && sequence.first_position >= 0);
  NOLENS_CHECK(sequence.first_row + sequence.row_count <= rows);
  NOLENS_CHECK(kv.keys != nullptr && kv.values != nullptr);
  NOLENS_CHECK(kv.capacity > 0 && kv.capacity % kKeyTile == 0);
  NOLENS_CHECK(kv.num_heads > 0 && kv.head_dim > 0 && kv.head_dim <= kMaxHeadDim);
}

void check_attention(const AttentionArgs& args) {
  NOLENS_CHECK(args.num_key_value_heads > 0 && args.head_dim > 0 && args.num_attention_heads > 0 &&
               args.num_attention_heads % args.num_key_value_heads == 0);
  NOLENS_CHECK(args.q.cols == args.num_attention_heads * args.head_dim);
  NOLENS_CHECK(static_cast<std::int64_t>(args.first_visible.size()) == args.q.rows &&
               static_cast<std::int64_t>(args.last_visible.size()) == args.q.rows);
  for (const SequenceSlice& sequence : args.sequences) {
    check_sequence(sequence, args.q.rows);
    NOLENS_CHECK(sequence.kv.num_heads == args.num_key_value_heads &&
                 sequence.kv.head_dim == args.head_dim);
    for (std::int64_t i = 0; i < sequence.row_count; ++i) {
      NOLENS_CHECK(args.first_visible[static_cast<std::size_t>(sequence.first_row + i)] >= 0);
    }
    const KeyRange seen =
        keys_seen(args, sequence.first_row, sequence.first_row + sequence.row_count);
    NOLENS_CHECK(seen.end <= seen.begin || seen.end - seen.begin <= sequence.kv.capacity);
  }
}

/// Fills whole_ with items of at most `rows` and `heads`, longest first.
void AttentionPlanner::share_out(const AttentionArgs& args, std::int64_t rows, std::int64_t heads) {
  const std::int64_t group = args.num_attention_heads / args.num_key_value_heads;
  whole_.clear();
  for (std::size_t s = 0; s < args.sequences.size(); ++s) {
    const SequenceSlice& sequence = args.sequences[s];
    const std::int64_t end = sequence.first_row + sequence.row_count;
    for (std::int64_t head = 0; head < args.num_attention_heads;
         head = std::min(head + heads, (head / group + 1) * group)) {
      const std::int64_t head_end = std::min(head + heads, (head / group + 1) * group);
      for (std::int64_t row = sequence.first_row; row < end; row += rows) {
        whole_.push_back({static_cast<std::int64_t>(s), row, std::min(row + rows, end), head,
                          head_end, kAllSegments, 0});
      }
    }
  }
  const auto seen = [&args](const AttentionItem& item) {
    const auto row = static_cast<std::size_t>(item.row_end - 1);
    return args.last_visible[row] - args.first_visible[row];
  };
  std::sort(whole_.begin(), whole_.end(),
            [&](const AttentionItem& a, const AttentionItem& b) { return seen(a) > seen(b); });
}

/// The items of whole_, one for each segment of keys that it sees.
void AttentionPlanner::split_segments(const AttentionArgs& args) {
  for (AttentionItem item : whole_) {
    const KeyRange seen = keys_seen(args, item.row_begin, item.row_end);
    const std::int64_t count = std::max<std::int64_t>(1, seen.segments());
    plan_.merges.push_back({static_cast<std::int64_t>(plan_.items.size()), count});
    for (std::int64_t i = 0; i < count; ++i) {
      item.segment = seen.segments() == 0 ? 0 : seen.begin / kAttentionSegment + i;
      item.partial = plan_.partial_floats;
      plan_.partial_floats += partial_floats(item, args.head_dim);
      plan_.items.push_back(item);
    }
  }
}

const AttentionPlan& AttentionPlanner::make(const AttentionArgs& args, int num_threads) {
  const std::int64_t group = args.num_attention_heads / args.num_key_value_heads;
  const std::int64_t most =
      std::clamp<std::int64_t>(kQueryFloats / args.head_dim, 1, kMaxRowsTimesHeads);
  std::int64_t heads = std::min(group, most);
  const std::int64_t rows = std::max<std::int64_t>(1, most / heads);
  share_out(args, rows, heads);

  plan_.items.clear();
  plan_.merges.clear();
  plan_.partial_floats = 0;
  // Few items, as in decoding: all threads share a long context, each key read by one of them.
  const auto items = static_cast<std::int64_t>(whole_.size());
  std::int64_t segments = 0;
  std::int64_t floats = 0;
  for (const AttentionItem& item : whole_) {
    const std::int64_t count = keys_seen(args, item.row_begin, item.row_end).segments();
    segments += count;
    floats += count * partial_floats(item, args.head_dim);
  }
  if (items < 2 * num_threads && segments >= num_threads && segments > items &&
      floats <= kMostPartialFloats) {
    split_segments(args);
  } else {
    if (items > 0 && items < num_threads) {  // or, in a short one, each takes some of the heads
      heads = std::min(heads, ceil_div(group, ceil_div(num_threads, items)));
      share_out(args, rows, heads);
    }
    plan_.items = whole_;
  }
  plan_.scratch_floats = round_up(
      rows * heads *
          (kAttentionScratchVectors * padded_head_dim(args.head_dim) + kAttentionScratchPerRow),
      16);
  return plan_;
}

AttentionPart AttentionRun::part_of(const AttentionItem& item, float* scratch) const {
  const SequenceSlice& sequence = args_.sequences[static_cast<std::size_t>(item.sequence)];
  const KvView& kv = sequence.kv;
  const std::int64_t kv_head =
      item.head_begin / (args_.num_attention_heads / args_.num_key_value_heads);
  const std::int64_t key_bytes = key_tile_bytes(kv.type, kv.head_dim);
  const std::int64_t value_bytes = value_tile_bytes(kv.type, kv.head_dim);
  AttentionPart part{};
  part.q = args_.q.row(item.row_begin) + item.head_begin * args_.head_dim;
  part.q_stride = args_.q.stride;
  part.y = y_.row(item.row_begin) + item.head_begin * args_.head_dim;
  part.y_stride = y_.stride;
  part.rows = item.row_end - item.row_begin;
  part.heads = item.head_end - item.head_begin;
  part.head_dim = args_.head_dim;
  part.keys = reinterpret_cast<const unsigned char*>(kv.keys + kv_head * key_bytes);
  part.values = reinterpret_cast<const unsigned char*>(kv.values + kv_head * value_bytes);
  part.key_stride = kv.num_heads * key_bytes;
  part.value_stride = kv.num_heads * value_bytes;
  part.tiles = kv.capacity / kKeyTile;
  part.first_visible = args_.first_visible.data() + item.row_begin;
  part.last_visible = args_.last_visible.data() + item.row_begin;
  part.scale = args_.scale;
  part.segment = item.segment;
  if (item.segment != kAllSegments) {
    part.partial = partial_of(item);
  }
  part.scratch = scratch;
  return part;
}

SoftmaxState AttentionRun::partial_of(const AttentionItem& item) const {
  const std::int64_t count = (item.row_end - item.row_begin) * (item.head_end - item.head_begin);
  float* out = partials_ + item.partial;
  float* maximum = out + count * padded_head_dim(args_.head_dim);
  return {out, maximum, maximum + count};
}

void AttentionRun::item(std::int64_t index, float* scratch) const {
  const AttentionItem& item = plan_.items[static_cast<std::size_t>(index)];
  const SequenceSlice& sequence = args_.sequences[static_cast<std::size_t>(item.sequence)];
  table_.attention[static_cast<std::size_t>(sequence.kv.type)](part_of(item, scratch));
}

void AttentionRun::merge(std::int64_t index, float* scratch) const {
  const AttentionGroup& group = plan_.merges[static_cast<std::size_t>(index)];
  const AttentionItem& first = plan_.items[static_cast<std::size_t>(group.first_item)];
  const SequenceSlice& sequence = args_.sequences[static_cast<std::size_t>(first.sequence)];
  const auto step = table_.merge_attention[static_cast<std::size_t>(sequence.kv.type)];
  step({part_of(first, scratch), group.count, partial_floats(first, args_.head_dim)});
}

}  // namespace nolens
