// Who sees whom: the mask rules as one range of keys per row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nolens/config.h"

namespace nolens {

/// Consecutive positions of one picture (or video frame): [begin, end).
struct VisionBlock {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Keys that rows see: row t those at first[t] … last[t], both included.
struct Visibility {
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> last;
};

/// Appends the ranges of rows at positions [begin, end). `blocks` are ascending, disjoint, and each lies
/// wholly inside or outside of [begin, end). With W = sliding_window, and [b, e) the row's block:
///
///   rule       full layers         sliding layers
///   causal     0 … q               q-W+1 … q
///   canonical  0 … q               q-W+1 … max(q, e-1)
///   legacy     0 … max(q, e-1)     min(q-W+1, b) … max(q, e-1)
///
/// Rows outside of a block follow the causal rule. docs/model.md, "Mask rules", says where each is used.
void append_visibility(LayerType type, MaskRule rule, std::int64_t sliding_window,
                       std::span<const VisionBlock> blocks, std::int64_t begin, std::int64_t end,
                       Visibility& visibility);

}  // namespace nolens
