// XXH64: a fast checksum against damage, not against forgery. Its specification is public (xxHash,
// Y. Collet).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nolens {

/// Takes its bytes piece by piece; the result is that of all of them with seed 0.
class Checksum {
 public:
  Checksum() noexcept;
  void update(std::span<const std::byte> bytes) noexcept;
  /// Of what was given so far.
  [[nodiscard]] std::uint64_t value() const noexcept;

 private:
  static constexpr std::size_t kStripe = 32;
  void consume(const std::byte* stripe) noexcept;

  std::array<std::uint64_t, 4> lanes_;
  std::array<std::byte, kStripe> rest_{};
  std::size_t rest_size_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace nolens
