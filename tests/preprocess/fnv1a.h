// FNV-1a, 64 bits: checksums of frozen expectations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nolens {

inline std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325U;
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100'0000'01B3U;
  }
  return hash;
}

}  // namespace nolens
