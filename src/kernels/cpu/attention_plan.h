// Cuts an attention call into items that threads can take in any order.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention_args.h"
#include "kernels/cpu/cpu_kernels.h"

namespace nolens {

/// Query rows and heads that are computed together: of one sequence, reading one key/value head.
struct AttentionItem {
  std::int64_t sequence;
  std::int64_t row_begin;  ///< in the step's matrices
  std::int64_t row_end;
  std::int64_t head_begin;
  std::int64_t head_end;
  std::int64_t segment;  ///< of kAttentionSegment positions, or kAllSegments
  std::int64_t partial;  ///< index of the first float of its sums, if it is one segment
};

/// Consecutive items that are the segments of the same rows and heads.
struct AttentionGroup {
  std::int64_t first_item;
  std::int64_t count;
};

struct AttentionPlan {
  std::vector<AttentionItem> items;
  std::vector<AttentionGroup> merges;  ///< none if every item sees all segments
  std::int64_t scratch_floats = 0;     ///< of one item at most
  std::int64_t partial_floats = 0;     ///< of all items together
};

/// Keeps the plan's memory from call to call.
class AttentionPlanner {
 public:
  /// The result is valid until the next call. Which items there are has no effect on the numbers.
  const AttentionPlan& make(const AttentionArgs& args, int num_threads);

 private:
  void share_out(const AttentionArgs& args, std::int64_t rows, std::int64_t heads);
  void split_segments(const AttentionArgs& args);

  AttentionPlan plan_;
  std::vector<AttentionItem> whole_;
};

/// \throws Error{kInternal} if shapes, ranges or caches do not fit together.
void check_attention(const AttentionArgs& args);
/// The same for one sequence of a step with `rows` rows.
void check_sequence(const SequenceSlice& sequence, std::int64_t rows);

/// Carries a plan out. Merges follow when all items are done.
class AttentionRun {
 public:
  /// `partials` holds the plan's partial_floats.
  AttentionRun(const KernelTable& table, const AttentionArgs& args, const AttentionPlan& plan,
               float* partials, Matrix y)
      : table_(table), args_(args), plan_(plan), partials_(partials), y_(y) {}
  /// `scratch` holds the plan's scratch_floats; one for each thread.
  void item(std::int64_t index, float* scratch) const;
  void merge(std::int64_t index, float* scratch) const;

 private:
  [[nodiscard]] AttentionPart part_of(const AttentionItem& item, float* scratch) const;
  [[nodiscard]] SoftmaxState partial_of(const AttentionItem& item) const;

  const KernelTable& table_;
  const AttentionArgs& args_;
  const AttentionPlan& plan_;
  float* partials_;
  Matrix y_;
};

}  // namespace nolens
