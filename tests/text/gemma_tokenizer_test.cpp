// Ids of the released Gemma 3 and 4 vocabulary, which both share. The file is not part of the
// repository: NOLENS_GEMMA_TOKENIZER names a tokenizer.json of either family.
#include <cstdlib>

#include <gtest/gtest.h>

#include "nolens/tokenizer.h"

namespace nolens {
namespace {

struct Vector {
  const char* text;
  std::vector<TokenId> ids;
};

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> kVectors = {
      {"Hello, world!", {9259, 236764, 1902, 236888}},
      {"The quick brown fox jumps over the lazy dog.",
       {818, 3823, 8864, 37423, 38167, 1024, 506, 31770, 4799, 236761}},
      {"I'm not sure this'll work, but we'll see.",
       {236777, 236789, 236757, 711, 2889, 672, 236789, 859, 981, 236764, 840, 692, 236789, 859,
        1460, 236761}},
      {"   leading and trailing spaces   ", {139, 26016, 532, 45330, 9952, 139}},
      {" ", {236743}},
      {"  ", {138}},
      {"x                                        y", {236781, 167, 145, 236762}},
      {"\n\n    def f(self):\n\n\n        pass\n\n",
       {108, 140, 2063, 517, 236769, 1508, 1473, 109, 144, 4373, 108}},
      {"if x is None:\n\tpass\nelse:\n\treturn x + 1",
       {584, 1123, 563, 5450, 236787, 107, 255968, 4373, 107, 4454, 236787, 107, 255968, 2060, 1123,
        900, 236743, 236770}},
      {"{\"unicode\": \"café — 你好\"}",
       {14937, 70926, 1083, 623, 123125, 236859, 2192, 43758, 237389, 25938}},
      {"One.Two.Three.Four", {4906, 236761, 11634, 236761, 19765, 236761, 26391}},
      {"hi", {2202}},
      {"a", {236746}},
      {"[]", {3805}},
      {"", {}},
  };
  return kVectors;
}

TEST(GemmaTokenizer, KnownTextsHaveTheirKnownIds) {
  const char* const file = std::getenv("NOLENS_GEMMA_TOKENIZER");
  if (file == nullptr) {
    GTEST_SKIP() << "set NOLENS_GEMMA_TOKENIZER to a tokenizer.json of Gemma 3 or 4 to run this";
  }
  const Tokenizer tokenizer = Tokenizer::load(file);
  for (const Vector& vector : vectors()) {
    EXPECT_EQ(tokenizer.encode(vector.text), vector.ids) << vector.text;
    EXPECT_EQ(tokenizer.decode(vector.ids), vector.text);
  }
  EXPECT_EQ(tokenizer.encode("<bos>hi", ParseSpecial::kYes), (std::vector<TokenId>{2, 2202}));
  // Runs of spaces and of newlines are pieces of 31 and a remainder.
  EXPECT_EQ(tokenizer.encode(std::string(70, ' ')), (std::vector<TokenId>{167, 167, 144}));
  for (std::size_t length = 1; length < 200; ++length) {
    std::vector<TokenId> expected(length / 31, 137);
    if (length % 31 > 0) {
      expected.push_back(static_cast<TokenId>(106 + length % 31));
    }
    EXPECT_EQ(tokenizer.encode(std::string(length, '\n')), expected) << length << " newlines";
  }
}

}  // namespace
}  // namespace nolens
