#include "formats/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace nolens {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie");

// The constants of the specification.
constexpr std::uint64_t kPrime1 = 0x9E37'79B1'85EB'CA87U;
constexpr std::uint64_t kPrime2 = 0xC2B2'AE3D'27D4'EB4FU;
constexpr std::uint64_t kPrime3 = 0x1656'67B1'9E37'79F9U;
constexpr std::uint64_t kPrime4 = 0x85EB'CA77'C2B2'AE63U;
constexpr std::uint64_t kPrime5 = 0x27D4'EB2F'1656'67C5U;

template <typename T>
T load(const std::byte* bytes) noexcept {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

std::uint64_t mix(std::uint64_t lane, std::uint64_t word) noexcept {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

}  // namespace

Checksum::Checksum() noexcept : lanes_{kPrime1 + kPrime2, kPrime2, 0, 0U - kPrime1} {}

void Checksum::consume(const std::byte* stripe) noexcept {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i] = mix(lanes_[i], load<std::uint64_t>(stripe + 8 * i));
  }
}

void Checksum::update(std::span<const std::byte> bytes) noexcept {
  total_ += bytes.size();
  if (rest_size_ > 0) {
    const std::size_t take = std::min(kStripe - rest_size_, bytes.size());
    std::copy_n(bytes.begin(), take, rest_.begin() + static_cast<std::ptrdiff_t>(rest_size_));
    rest_size_ += take;
    bytes = bytes.subspan(take);
    if (rest_size_ < kStripe) {
      return;
    }
    consume(rest_.data());
    rest_size_ = 0;
  }
  for (; bytes.size() >= kStripe; bytes = bytes.subspan(kStripe)) {
    consume(bytes.data());
  }
  std::copy(bytes.begin(), bytes.end(), rest_.begin());
  rest_size_ = bytes.size();
}

std::uint64_t Checksum::value() const noexcept {
  std::uint64_t sum = kPrime5;
  if (total_ >= kStripe) {
    sum = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
          std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) {
      sum = (sum ^ mix(0, lane)) * kPrime1 + kPrime4;
    }
  }
  sum += total_;
  std::size_t at = 0;
  for (; at + 8 <= rest_size_; at += 8) {
    sum = std::rotl(sum ^ mix(0, load<std::uint64_t>(&rest_[at])), 27) * kPrime1 + kPrime4;
  }
  if (at + 4 <= rest_size_) {
    sum = std::rotl(sum ^ load<std::uint32_t>(&rest_[at]) * kPrime1, 23) * kPrime2 + kPrime3;
    at += 4;
  }
  for (; at < rest_size_; ++at) {
    sum = std::rotl(sum ^ static_cast<std::uint64_t>(rest_[at]) * kPrime5, 11) * kPrime1;
  }
  sum = (sum ^ sum >> 33U) * kPrime2;
  sum = (sum ^ sum >> 29U) * kPrime3;
  return sum ^ sum >> 32U;
}

}  // namespace nolens
