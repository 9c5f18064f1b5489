// That what differs has another hash, also where it differs a little.
#include "engine/content_hash.h"

#include <bit>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace nolens {
namespace {

std::pair<std::uint64_t, std::uint64_t> hash_of(const std::vector<std::uint8_t>& bytes) {
  const ContentHash hash = content_hash(std::as_bytes(std::span(bytes)));
  return {hash.low, hash.high};
}

std::vector<std::uint8_t> noise(std::size_t size) {
  std::vector<std::uint8_t> bytes;
  std::uint64_t state = 7;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes.push_back(static_cast<std::uint8_t>(state >> 56U));
  }
  return bytes;
}

void flip(std::vector<std::uint8_t>& bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << bit % 8));
}

/// Collects hashes and their halves: each must be new by itself.
class Collection {
 public:
  void add(const std::vector<std::uint8_t>& bytes) {
    const auto [low, high] = hash_of(bytes);
    EXPECT_TRUE(low_.insert(low).second);
    EXPECT_TRUE(high_.insert(high).second);
  }

 private:
  std::set<std::uint64_t> low_;
  std::set<std::uint64_t> high_;
};

TEST(ContentHash, IsThatOfTheBytesAndNotOfWhereTheyLie) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 63U, 64U, 65U, 1000U}) {
    const std::vector<std::uint8_t> bytes = noise(size);
    std::vector<std::uint8_t> shifted(size + 3);
    std::copy(bytes.begin(), bytes.end(), shifted.begin() + 3);
    EXPECT_EQ(content_hash(std::as_bytes(std::span(bytes))),
              content_hash(std::as_bytes(std::span(shifted).subspan(3))));
  }
}

TEST(ContentHash, EveryBitCounts) {
  for (const std::size_t size : {1U, 64U, 200U, 257U}) {
    Collection hashes;
    for (const std::uint8_t fill : {std::uint8_t{0}, std::uint8_t{255}}) {
      std::vector<std::uint8_t> bytes(size, fill);
      hashes.add(bytes);
      for (std::size_t bit = 0; bit < 8 * size; ++bit) {
        flip(bytes, bit);
        hashes.add(bytes);
        flip(bytes, bit);
      }
    }
  }
}

TEST(ContentHash, TwoChangesDoNotUndoEachOther) {
  // The same change in two words: what a hash that only adds or only exclusive-ors would miss.
  Collection hashes;
  std::vector<std::uint8_t> bytes = noise(256);
  hashes.add(bytes);
  for (std::size_t first = 0; first < 8 * bytes.size(); first += 64) {
    for (std::size_t second = first + 64; second < 8 * bytes.size(); second += 64) {
      for (const std::size_t bit : {0, 63}) {
        flip(bytes, first + bit);
        flip(bytes, second + bit);
        hashes.add(bytes);
        flip(bytes, first + bit);
        flip(bytes, second + bit);
      }
    }
  }
}

TEST(ContentHash, OrderAndLengthCount) {
  Collection hashes;
  std::vector<std::uint8_t> bytes = noise(192);
  hashes.add(bytes);
  for (std::size_t first = 0; first < bytes.size(); first += 8) {
    for (std::size_t second = first + 8; second < bytes.size(); second += 8) {
      std::vector<std::uint8_t> swapped = bytes;
      std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(first),
                       swapped.begin() + static_cast<std::ptrdiff_t>(first + 8),
                       swapped.begin() + static_cast<std::ptrdiff_t>(second));
      hashes.add(swapped);
    }
  }
  for (std::size_t size = 0; size < 300; ++size) {
    hashes.add(std::vector<std::uint8_t>(size, 0));
  }
}

TEST(ContentHash, OneBitChangesAboutHalfOfTheHash) {
  std::vector<std::uint8_t> bytes = noise(320);
  const ContentHash before = content_hash(std::as_bytes(std::span(bytes)));
  double changed = 0.0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    flip(bytes, bit);
    const ContentHash after = content_hash(std::as_bytes(std::span(bytes)));
    const int count =
        std::popcount(before.low ^ after.low) + std::popcount(before.high ^ after.high);
    // 64 of 128 with a deviation of 5.7: 7 of them either way.
    EXPECT_GT(count, 24) << "bit " << bit;
    EXPECT_LT(count, 104) << "bit " << bit;
    changed += count;
    flip(bytes, bit);
  }
  // The mean of 2560 has a deviation of 0.11.
  EXPECT_NEAR(changed / static_cast<double>(8 * bytes.size()), 64.0, 0.8);
}

TEST(ContentHash, OfAPictureCountsItsShapeBudgetAndSourceToo) {
  const std::vector<std::uint8_t> rgb = noise(36);
  const Image image = Image::from_rgb8(4, 3, rgb);
  const ContentHash hash = content_hash(image, 280);
  EXPECT_EQ(hash, content_hash(Image::from_rgb8(4, 3, rgb), 280));
  EXPECT_NE(hash, content_hash(Image::from_rgb8(3, 4, rgb), 280));
  EXPECT_NE(hash, content_hash(image, 70));
  EXPECT_NE(hash, content_hash(image.scaled_from(8, 6), 280));
  EXPECT_NE(content_hash(image.scaled_from(6, 8), 280), content_hash(image.scaled_from(8, 6), 280));
}

}  // namespace
}  // namespace nolens
