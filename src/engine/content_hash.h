// Fingerprints that tell whether two prompts hold the same picture or sound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nolens/media.h"

namespace nolens {

/// 128 bits: what differs has the same one by accident never in practice. Not for what someone
/// chooses in order to deceive, and another on machines of another byte order.
struct ContentHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const ContentHash&) const = default;
};

/// Of any bytes; `seed` stands for what else counts. At about the speed of memory.
[[nodiscard]] ContentHash content_hash(std::span<const std::byte> bytes,
                                       ContentHash seed = {}) noexcept;
/// Of a picture that shall take `budget` soft tokens.
[[nodiscard]] ContentHash content_hash(const Image& image, std::int64_t budget) noexcept;
[[nodiscard]] ContentHash content_hash(std::span<const float> samples) noexcept;

}  // namespace nolens
