#include "formats/checksum.h"

#include <string>

#include <gtest/gtest.h>

namespace nolens {
namespace {

std::uint64_t sum_of(std::string_view text, std::size_t piece) {
  Checksum sum;
  for (; text.size() > piece; text.remove_prefix(piece)) {
    sum.update(std::as_bytes(std::span(text.data(), piece)));
  }
  sum.update(std::as_bytes(std::span(text.data(), text.size())));
  return sum.value();
}

TEST(Checksum, IsXxh64) {
  // From the xxHash project, with seed 0.
  EXPECT_EQ(sum_of("", 100), 0xEF46'DB37'51D8'E999U);
  EXPECT_EQ(sum_of("a", 100), 0xD24E'C4F1'A98C'6E5BU);
  EXPECT_EQ(sum_of("abc", 100), 0x44BC'2CF5'AD77'0999U);
  EXPECT_EQ(sum_of("Nobody inspects the spammish repetition", 100), 0xFBCE'A83C'8A37'8BF1U);
}

TEST(Checksum, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += static_cast<char>(i * 7 + i / 13);
  }
  for (const std::size_t size : {31U, 32U, 33U, 64U, 999U, 1000U}) {
    const std::string_view part(text.data(), size);
    for (const std::size_t piece : {1U, 7U, 31U, 32U, 33U, 100U}) {
      EXPECT_EQ(sum_of(part, piece), sum_of(part, 2000)) << size << " in pieces of " << piece;
    }
  }
}

TEST(Checksum, ChangesWithEveryBit) {
  std::string text(77, 'x');
  const std::uint64_t before = sum_of(text, 100);
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    text[i / 8] = static_cast<char>(text[i / 8] ^ (1 << (i % 8)));
    EXPECT_NE(sum_of(text, 100), before) << "bit " << i;
    text[i / 8] = static_cast<char>(text[i / 8] ^ (1 << (i % 8)));
  }
}

}  // namespace
}  // namespace nolens
