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
};

struct AttentionPlan {
  std::vector<AttentionItem> items;  ///< longest first
  std::int64_t scratch_floats = 0;   ///< of one item at most
};

/// Keeps the plan's memory from call to call.
class AttentionPlanner {
 public:
  /// The result is valid until the next call. Which items there are has no effect on the numbers.
  const AttentionPlan& make(const AttentionArgs& args, int num_threads);

 private:
  AttentionPlan plan_;
};

/// \throws Error{kInternal} if shapes, ranges or caches do not fit together.
void check_attention(const AttentionArgs& args);
/// The same for one sequence of a step with `rows` rows.
void check_sequence(const SequenceSlice& sequence, std::int64_t rows);

/// Computes an item's part of y. `scratch` holds the plan's scratch_floats.
void run_attention_item(const KernelTable& table, const AttentionArgs& args,
                        const AttentionItem& item, float* scratch, Matrix y);

}  // namespace nolens
