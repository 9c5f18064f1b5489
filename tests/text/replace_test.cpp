#include "text/replace.h"

#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {
namespace {

std::string apply(const std::vector<TokenizerData::Replacement>& rules, std::string_view text,
                  std::size_t max_bytes = 1000) {
  std::string buffer;
  return std::string(Replacements(rules, "test").apply(text, max_bytes, buffer));
}

TEST(Replacements, ReplacesEveryOccurrenceFromTheLeft) {
  EXPECT_EQ(apply({{" ", "▁"}}, " a  b "), "▁a▁▁b▁");
  EXPECT_EQ(apply({{"aa", "b"}}, "aaaaa"), "bba");
}

TEST(Replacements, ALaterRuleSeesTheResultOfAnEarlierOne) {
  EXPECT_EQ(apply({{"a", "bb"}, {"bb", "c"}}, "ab"), "cb");
  EXPECT_EQ(apply({{"bb", "c"}, {"a", "bb"}}, "ab"), "bbb");
}

TEST(Replacements, TextWithoutAnOccurrenceIsReturnedAsItIs) {
  const std::string_view text = "abc";
  std::string buffer;
  const std::string_view result = Replacements({{" ", "_"}}, "test").apply(text, 10, buffer);
  EXPECT_EQ(result.data(), text.data());
  EXPECT_EQ(apply({}, "abc"), "abc");
  EXPECT_EQ(apply({{" ", "_"}}, ""), "");
}

TEST(Replacements, GrowthIsBounded) {
  const std::string thousand(1000, 'x');
  EXPECT_THROW(apply({{"a", thousand}}, "aaaaaaaa", 2000), Error);
  // Each rule multiplies by ten: sixteen of them would need 10^16 bytes.
  const std::vector<TokenizerData::Replacement> tenfold(16, {"a", "aaaaaaaaaa"});
  EXPECT_THROW(apply(tenfold, "a", 100'000), Error);
}

TEST(Replacements, EmptyPatternsAndLongListsAreRefused) {
  EXPECT_THROW(apply({{"", "x"}}, "a"), Error);
  EXPECT_THROW(apply(std::vector<TokenizerData::Replacement>(17, {"a", "b"}), "a"), Error);
}

}  // namespace
}  // namespace nolens
