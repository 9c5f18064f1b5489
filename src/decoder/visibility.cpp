// Mask rules -> key ranges.
#include "decoder/visibility.h"

#include <algorithm>

namespace nolens {

void append_visibility(LayerType type, MaskRule rule, std::int64_t sliding_window,
                       std::span<const VisionBlock> blocks, std::int64_t begin, std::int64_t end,
                       Visibility& visibility) {
  const bool sliding = type == LayerType::kSlidingAttention;
  const bool two_sided =
      rule == MaskRule::kLegacy || (rule == MaskRule::kCanonical && sliding);
  auto block = blocks.begin();
  for (std::int64_t q = begin; q < end; ++q) {
    while (block != blocks.end() && block->end <= q) {
      ++block;
    }
    const bool in_block = block != blocks.end() && block->begin <= q;
    std::int64_t first = sliding ? std::max<std::int64_t>(0, q - sliding_window + 1) : 0;
    std::int64_t last = q;
    if (in_block && two_sided) {
      last = block->end - 1;
      if (rule == MaskRule::kLegacy) {
        first = std::min(first, block->begin);
      }
    }
    visibility.first.push_back(first);
    visibility.last.push_back(last);
  }
}

}  // namespace nolens
