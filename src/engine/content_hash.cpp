// Four lanes that do not wait for each other take 16 bytes each at a time. A lane is two chains of
// 64-bit products folded to 64 bits (text/hash.h), each with another half of the 16 bytes for its
// partner: what one chain forgets, because a factor happens to be 0, the other still knows.
#include "engine/content_hash.h"

#include <array>
#include <cstring>

#include "text/hash.h"

namespace nolens {
namespace {

constexpr std::size_t kStep = 16;  // bytes a lane takes at a time
constexpr std::size_t kLanes = 4;
// Digits of pi: no relation between any two, and about half of the bits set.
constexpr std::uint64_t kFirst = 0x243F6A8885A308D3;
constexpr std::uint64_t kSecond = 0x13198A2E03707344;
constexpr std::array<ContentHash, kLanes> kStarts{{{0xA4093822299F31D0, 0x082EFA98EC4E6C89},
                                                   {0x452821E638D01377, 0xBE5466CF34E90C6C},
                                                   {0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917},
                                                   {0x9216D5D98979FB1B, 0xD1310BA698DFB5AC}}};
constexpr ContentHash kEndStart{0x2FFD72DBD01ADFB7, 0xB8E1AFED6A267E96};

void take(ContentHash& lane, std::uint64_t a, std::uint64_t b) noexcept {
  lane = {mix64(lane.low ^ a, kFirst ^ b), mix64(kSecond ^ a, lane.high ^ b)};
}

void take(ContentHash& lane, const std::byte* bytes) noexcept {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::memcpy(&a, bytes, 8);
  std::memcpy(&b, bytes + 8, 8);
  take(lane, a, b);
}

}  // namespace

ContentHash content_hash(std::span<const std::byte> bytes, ContentHash seed) noexcept {
  std::array<ContentHash, kLanes> lanes = kStarts;
  for (ContentHash& lane : lanes) {
    take(lane, seed.low, seed.high);
  }
  const std::byte* next = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kLanes * kStep; left -= kLanes * kStep, next += kLanes * kStep) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      take(lanes[i], next + i * kStep);
    }
  }
  // The rest, with zeros behind it: the length tells them from bytes that are 0.
  std::array<std::byte, kLanes * kStep> rest{};
  if (left > 0) {
    std::memcpy(rest.data(), next, left);
  }
  ContentHash hash = kEndStart;
  take(hash, bytes.size(), ~bytes.size());
  for (std::size_t i = 0; i < kLanes; ++i) {
    take(lanes[i], rest.data() + i * kStep);
    take(hash, lanes[i].low, lanes[i].high);
  }
  take(hash, hash.high, hash.low);  // each half depends on both chains
  return hash;
}

ContentHash content_hash(const Image& image, std::int64_t budget) noexcept {
  const std::array<std::int64_t, 5> shape{image.width(), image.height(), image.source_width(),
                                          image.source_height(), budget};
  return content_hash(std::as_bytes(image.rgb()), content_hash(std::as_bytes(std::span(shape))));
}

ContentHash content_hash(std::span<const float> samples) noexcept {
  return content_hash(std::as_bytes(samples));
}

}  // namespace nolens
