// Cuts a prompt into prefill steps without cutting a vision block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoder/visibility.h"

namespace nolens {

struct Chunk {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Covers [begin, end) with chunks of at most `rows` rows, about equally long: a short one at the end would
/// read all weights for a few rows. A block that would be cut ends the chunk if it fits, else it starts the
/// next; one that is longer than `rows` gets a chunk of its own length, so no picture is too large.
/// `blocks` are ascending and disjoint; begin and end are not inside one. rows >= 1.
std::vector<Chunk> plan_chunks(std::int64_t begin, std::int64_t end, std::int64_t rows,
                               std::span<const VisionBlock> blocks);

}  // namespace nolens
