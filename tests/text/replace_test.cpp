// Replacement rules and the bound on what they may produce.
#include "text/replace.h"

#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {
namespace {

using Rule = TokenizerData::Replacement;

std::string replaced(const std::vector<Rule>& rules, std::string_view text,
                     std::size_t max_bytes = 1000) {
  std::string buffer;
  return std::string(Replacements(rules, "test").apply(text, max_bytes, buffer));
}

TEST(Replacements, ReplacesEveryOccurrenceFromTheLeft) {
  EXPECT_EQ(replaced({Rule{" ", "▁"}}, " a  b "), "▁a▁▁b▁");
  EXPECT_EQ(replaced({Rule{"aa", "b"}}, "aaaaa"), "bba");
}

TEST(Replacements, ALaterRuleSeesTheResultOfAnEarlierOne) {
  EXPECT_EQ(replaced({Rule{"a", "bb"}, Rule{"bb", "c"}}, "ab"), "cb");
  EXPECT_EQ(replaced({Rule{"bb", "c"}, Rule{"a", "bb"}}, "ab"), "bbb");
}

TEST(Replacements, TextWithoutAnOccurrenceIsReturnedAsItIs) {
  const std::string_view text = "abc";
  std::string buffer;
  const std::string_view result = Replacements({Rule{" ", "_"}}, "test").apply(text, 10, buffer);
  EXPECT_EQ(result.data(), text.data());
  EXPECT_EQ(replaced({}, "abc"), "abc");
  EXPECT_EQ(replaced({Rule{" ", "_"}}, ""), "");
}

TEST(Replacements, GrowthIsBounded) {
  const std::string thousand(1000, 'x');
  EXPECT_THROW(replaced({Rule{"a", thousand}}, "aaaaaaaa", 2000), Error);
  // Each rule multiplies by ten: sixteen of them would need 10^16 bytes.
  const std::vector<Rule> tenfold(16, Rule{"a", "aaaaaaaaaa"});
  EXPECT_THROW(replaced(tenfold, "a", 100'000), Error);
}

TEST(Replacements, EmptyPatternsAndLongListsAreRefused) {
  EXPECT_THROW(replaced({Rule{"", "x"}}, "a"), Error);
  EXPECT_THROW(replaced(std::vector<Rule>(17, Rule{"a", "b"}), "a"), Error);
}

}  // namespace
}  // namespace nolens
