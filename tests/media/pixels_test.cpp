// Memory that is not cleared, and memory that is.
#include "media/pixels.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace nolens {
namespace {

TEST(Pixels, HoldWhatWasWrittenInSmallAndLargeBlocks) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{4095}, (std::size_t{4} << 20) - 1,
                                 std::size_t{4} << 20, (std::size_t{6} << 20) + 17}) {
    Pixels pixels(size);
    ASSERT_EQ(pixels.size(), size);
    for (std::size_t i = 0; i < size; ++i) {
      pixels[i] = static_cast<std::uint8_t>(i * 7 + i / 4096);
    }
    const Pixels copy = pixels;
    pixels.assign(size, std::uint8_t{9});
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(copy[i], static_cast<std::uint8_t>(i * 7 + i / 4096)) << i << " of " << size;
    }
    EXPECT_TRUE(std::all_of(pixels.begin(), pixels.end(), [](int value) { return value == 9; }));
  }
}

TEST(Pixels, AreSetWhereAValueIsGiven) {
  for (int round = 0; round < 2;
       ++round) {  // the second block is likely to be the first one's memory
    Pixels pixels(1000, std::uint8_t{0});
    EXPECT_TRUE(std::all_of(pixels.begin(), pixels.end(), [](int value) { return value == 0; }));
    std::fill(pixels.begin(), pixels.end(), std::uint8_t{255});
  }
}

}  // namespace
}  // namespace nolens
