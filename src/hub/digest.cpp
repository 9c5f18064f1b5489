#include "hub/digest.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace nolens::hub {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kLengthAt = 56;  // the last eight bytes of the last block are the bit count

std::uint32_t load_big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U |
         std::uint32_t{bytes[2]} << 8U | std::uint32_t{bytes[3]};
}

/// What both functions share: blocks of 64 bytes, padding, the length at the end.
template <std::size_t kWords>
class BlockDigest : public Digest {
 public:
  explicit BlockDigest(const std::array<std::uint32_t, kWords>& initial) : state_(initial) {}

  void update(std::span<const std::byte> bytes) override {
    total_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t take = std::min(kBlock - filled_, bytes.size());
      std::memcpy(block_.data() + filled_, bytes.data(), take);
      filled_ += take;
      bytes = bytes.subspan(take);
      if (filled_ == kBlock) {
        compress(block_, state_);
        filled_ = 0;
      }
    }
  }

  std::string finish() override {
    const std::uint64_t bits = total_ * 8U;
    const std::byte mark{0x80};
    update(std::span(&mark, 1));
    const std::byte zero{0};
    while (filled_ != kLengthAt) {
      update(std::span(&zero, 1));
    }
    std::array<std::byte, 8> length{};
    for (std::size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<std::byte>(bits >> (56U - 8U * i) & 0xFFU);
    }
    update(length);
    constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const std::uint32_t word : state_) {
      for (std::uint32_t shift = 32; shift > 0; shift -= 4) {
        text += kHex[word >> (shift - 4) & 15U];
      }
    }
    return text;
  }

 protected:
  virtual void compress(const std::array<std::uint8_t, kBlock>& block,
                        std::array<std::uint32_t, kWords>& state) = 0;

 private:
  std::array<std::uint32_t, kWords> state_;
  std::array<std::uint8_t, kBlock> block_{};
  std::size_t filled_ = 0;
  std::uint64_t total_ = 0;
};

constexpr std::array<std::uint32_t, 5> kSha1Start = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476,
                                                     0xC3D2E1F0};

class Sha1 final : public BlockDigest<5> {
 public:
  Sha1() : BlockDigest(kSha1Start) {}

 private:
  void compress(const std::array<std::uint8_t, kBlock>& block,
                std::array<std::uint32_t, 5>& state) override {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t t = 0; t < 16; ++t) {
      w[t] = load_big_endian(&block[4 * t]);
    }
    for (std::size_t t = 16; t < 80; ++t) {
      w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    auto [a, b, c, d, e] = state;
    for (std::size_t t = 0; t < 80; ++t) {
      const auto [f, k] = round(t, b, c, d);
      const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[t];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
  }

  struct Round {
    std::uint32_t f;
    std::uint32_t k;
  };
  static Round round(std::size_t t, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    if (t < 20) {
      return {(b & c) | (~b & d), 0x5A827999};
    }
    if (t < 40) {
      return {b ^ c ^ d, 0x6ED9EBA1};
    }
    return t < 60 ? Round{(b & c) | (b & d) | (c & d), 0x8F1BBCDC} : Round{b ^ c ^ d, 0xCA62C1D6};
  }
};

// First 32 bits of the fractional parts of the square roots of the first 8 primes, and of the cube
// roots of the first 64.
constexpr std::array<std::uint32_t, 8> kSha256Start = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr std::array<std::uint32_t, 64> kSha256Round = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

class Sha256 final : public BlockDigest<8> {
 public:
  Sha256() : BlockDigest(kSha256Start) {}

 private:
  void compress(const std::array<std::uint8_t, kBlock>& block,
                std::array<std::uint32_t, 8>& state) override {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t t = 0; t < 16; ++t) {
      w[t] = load_big_endian(&block[4 * t]);
    }
    for (std::size_t t = 16; t < 64; ++t) {
      const std::uint32_t x = w[t - 15];
      const std::uint32_t y = w[t - 2];
      w[t] = w[t - 16] + (std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3U)) + w[t - 7] +
             (std::rotr(y, 17) ^ std::rotr(y, 19) ^ (y >> 10U));
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t t = 0; t < 64; ++t) {
      const std::uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                               ((e & f) ^ (~e & g)) + kSha256Round[t] + w[t];
      const std::uint32_t t2 =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    const std::array<std::uint32_t, 8> sum = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < sum.size(); ++i) {
      state[i] += sum[i];
    }
  }
};

}  // namespace

std::unique_ptr<Digest> make_sha256() {
  return std::make_unique<Sha256>();
}

std::unique_ptr<Digest> make_sha1() {
  return std::make_unique<Sha1>();
}

std::unique_ptr<Digest> make_git_blob_sha1(std::int64_t size) {
  auto digest = make_sha1();
  const std::string header = "blob " + std::to_string(size) + std::string(1, '\0');
  digest->update(std::as_bytes(std::span(header.data(), header.size())));
  return digest;
}

}  // namespace nolens::hub
