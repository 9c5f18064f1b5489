// Prefill steps.
#include "engine/chunk_plan.h"

#include <algorithm>

#include "core/check.h"

namespace nolens {

std::vector<Chunk> plan_chunks(std::int64_t begin, std::int64_t end, std::int64_t rows,
                               std::span<const VisionBlock> blocks) {
  NOLENS_CHECK(rows >= 1);
  std::vector<Chunk> chunks;
  while (begin < end) {
    std::int64_t cut = std::min(begin + rows, end);
    for (const VisionBlock& block : blocks) {
      if (block.begin < cut && cut < block.end) {
        cut = block.begin > begin ? block.begin : block.end;
      }
    }
    chunks.push_back({begin, cut});
    begin = cut;
  }
  return chunks;
}

}  // namespace nolens
