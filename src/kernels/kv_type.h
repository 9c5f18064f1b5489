// Number formats of the key/value cache.
#pragma once

#include <cstdint>

namespace nolens {

/// How keys and values are kept. kInt8: docs/model.md, "Key/value cache".
enum class KvType : std::uint8_t { kF32, kF16, kBf16, kInt8 };
inline constexpr int kKvTypeCount = 4;

/// Keys are processed in tiles whose borders are multiples of this many absolute positions, so that
/// the order of additions does not depend on how a prompt was cut into chunks.
inline constexpr std::int64_t kKeyTile = 64;

}  // namespace nolens
