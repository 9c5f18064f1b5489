// Fingerprints that tell whether two prompts hold the same picture or sound.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "nolens/media.h"

namespace nolens {

/// FNV-1a, one 64-bit value at a time.
class ContentHash {
 public:
  void mix(std::uint64_t value) noexcept {
    hash_ ^= value;
    hash_ *= 0x100000001b3ULL;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

[[nodiscard]] inline std::uint64_t content_hash(const Image& image,
                                                std::int64_t budget) noexcept {
  ContentHash hash;
  hash.mix(static_cast<std::uint64_t>(budget));
  hash.mix(static_cast<std::uint64_t>(image.width()));
  hash.mix(static_cast<std::uint64_t>(image.height()));
  for (const std::uint8_t value : image.rgb()) {
    hash.mix(value);
  }
  return hash.value();
}

[[nodiscard]] inline std::uint64_t content_hash(std::span<const float> samples) noexcept {
  ContentHash hash;
  hash.mix(samples.size());
  for (const float sample : samples) {
    hash.mix(std::bit_cast<std::uint32_t>(sample));
  }
  return hash.value();
}

}  // namespace nolens
