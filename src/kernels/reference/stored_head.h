// One head of one position in a cache, written and read the way kv_layout.h says, element by
// element.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention_args.h"

namespace nolens {

/// The stored key or value as numbers; an int8 one is scaled and rotated back. [head_dim]
std::vector<double> stored_key(const KvView& kv, std::int64_t head, std::int64_t position);
std::vector<double> stored_value(const KvView& kv, std::int64_t head, std::int64_t position);

/// Rounds to the cache's type. x [head_dim]
void store_key(const KvView& kv, std::int64_t head, std::int64_t position,
               std::span<const float> x);
void store_value(const KvView& kv, std::int64_t head, std::int64_t position,
                 std::span<const float> x);

}  // namespace nolens
