// Where a key or a value lies in the cache, and how many bytes it takes.
//
// A cache is tiles of 64 positions; a tile holds its heads one after the other, each in one piece,
// so that a head of a tile is one stream. Within it elements are ordered as dot products read them,
// U = kv_unit() elements that one 32-bit lane holds side by side:
//
//   keys    [S/U, 64, U]   lane = position: scores of 64 positions need no sums across lanes
//   values  [64/U, S, U]   lane = dimension
//
// with S = head_dim rounded up to 16. kInt8 has its scales after the elements: one float per
// position and kScaleGroup dimensions of a key, one per position of a value.
#pragma once

#include <cstdint>

#include "kernels/kv_type.h"

namespace nolens {

/// Dimensions of an int8 key that share a scale.
inline constexpr std::int64_t kScaleGroup = 64;
/// Largest head the kernels take.
inline constexpr std::int64_t kMaxHeadDim = 1024;

[[nodiscard]] constexpr std::int64_t kv_element_bytes(KvType type) noexcept {
  return type == KvType::kF32 ? 4 : type == KvType::kInt8 ? 1 : 2;
}
[[nodiscard]] constexpr std::int64_t kv_unit(KvType type) noexcept {
  return type == KvType::kInt8 ? 4 : type == KvType::kBf16 ? 2 : 1;
}
[[nodiscard]] constexpr std::int64_t padded_head_dim(std::int64_t head_dim) noexcept {
  return (head_dim + 15) / 16 * 16;
}

/// Bytes of one head's keys of one tile, scales included; a multiple of 64.
[[nodiscard]] constexpr std::int64_t key_tile_bytes(KvType type, std::int64_t head_dim) noexcept {
  const std::int64_t s = padded_head_dim(head_dim);
  const std::int64_t scales = type == KvType::kInt8 ? (s + kScaleGroup - 1) / kScaleGroup * 4 : 0;
  return kKeyTile * (s * kv_element_bytes(type) + scales);
}
/// The same of values.
[[nodiscard]] constexpr std::int64_t value_tile_bytes(KvType type, std::int64_t head_dim) noexcept {
  const std::int64_t scale = type == KvType::kInt8 ? 4 : 0;
  return kKeyTile * (padded_head_dim(head_dim) * kv_element_bytes(type) + scale);
}

/// Index among the elements of one head of a tile: dimension d of the tile's position j.
[[nodiscard]] constexpr std::int64_t key_index(KvType type, std::int64_t j,
                                               std::int64_t d) noexcept {
  const std::int64_t unit = kv_unit(type);
  return (d / unit * kKeyTile + j) * unit + d % unit;
}
[[nodiscard]] constexpr std::int64_t value_index(KvType type, std::int64_t head_dim, std::int64_t j,
                                                 std::int64_t d) noexcept {
  const std::int64_t unit = kv_unit(type);
  return (j / unit * padded_head_dim(head_dim) + d) * unit + j % unit;
}

/// An int8 head is rotated before it is rounded, so that a few large dimensions do not cost the
/// others their digits (Ashkboos et al. 2024, QuaRot): each run of so many of its S dimensions is
/// multiplied by the Hadamard matrix of that size, whose entries are 1 and -1 and whose square is
/// the size times the identity.
[[nodiscard]] constexpr std::int64_t rotation_size(std::int64_t head_dim) noexcept {
  const std::int64_t s = padded_head_dim(head_dim);
  return s & -s;
}

}  // namespace nolens
