// Prefill steps.
#include "engine/chunk_plan.h"

#include <algorithm>

#include "core/check.h"
#include "core/checked_math.h"

namespace nolens {
namespace {

// Kernels take rows by four.
constexpr std::int64_t kTileRows = 4;

}  // namespace

std::vector<Chunk> plan_chunks(std::int64_t begin, std::int64_t end, std::int64_t rows,
                               std::span<const VisionBlock> blocks) {
  NOLENS_CHECK(rows >= 1);
  std::vector<Chunk> chunks;
  while (begin < end) {
    const std::int64_t left = end - begin;
    const std::int64_t even = round_up(ceil_div(left, ceil_div(left, rows)), kTileRows);
    std::int64_t cut = begin + std::min({even, rows, left});
    for (const VisionBlock& block : blocks) {
      if (block.begin < cut && cut < block.end) {
        const bool fits = block.end - begin <= rows;
        cut = fits || block.begin <= begin ? block.end : block.begin;
      }
    }
    chunks.push_back({begin, cut});
    begin = cut;
  }
  return chunks;
}

}  // namespace nolens
