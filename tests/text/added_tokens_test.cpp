// Matching of added tokens, against examples and a search for each token in turn.
#include "text/added_tokens.h"

#include <random>

#include <gtest/gtest.h>

namespace nolens {
namespace {

using Pattern = AddedTokens::Pattern;

Pattern pattern(const std::string& text, TokenId id, bool special = false) {
  return {text, id, special, false, false};
}

/// All matches, as "begin-end:id" separated by spaces.
std::string matches(const AddedTokens& added, std::string_view text,
                    ParseSpecial parse_special = ParseSpecial::kYes) {
  std::string result;
  std::size_t from = 0;
  while (const auto match = added.find(text, from, parse_special)) {
    result += (result.empty() ? "" : " ") + std::to_string(match->begin) + "-" +
              std::to_string(match->end) + ":" + std::to_string(match->id);
    from = match->end;
  }
  return result;
}

TEST(AddedTokens, TheLeftmostAndThenTheLongestIsFound) {
  const AddedTokens added({pattern("ab", 1), pattern("abc", 2), pattern("bcde", 3)});
  EXPECT_EQ(matches(added, "xabcde"), "1-4:2");
  EXPECT_EQ(matches(added, "abab abc"), "0-2:1 2-4:1 5-8:2");
  EXPECT_EQ(matches(added, "bcdeab"), "0-4:3 4-6:1");
}

TEST(AddedTokens, APrefixThatLeadsNowhereFallsBackToTheShorterToken) {
  const AddedTokens added({pattern("<a", 1), pattern("<abcd>", 2)});
  EXPECT_EQ(matches(added, "<abcd<abcd>"), "0-2:1 5-11:2");
  EXPECT_EQ(matches(added, "<abcd"), "0-2:1");
  EXPECT_EQ(matches(added, "<"), "");
}

TEST(AddedTokens, EveryByteMayBeginAToken) {
  const AddedTokens added(
      {pattern(std::string("\0x", 2), 1), pattern("▁▁", 2), pattern("\xF4", 3)});
  EXPECT_EQ(matches(added, std::string("a\0x▁▁▁\xF4", 13)), "1-3:1 3-9:2 12-13:3");
}

TEST(AddedTokens, SpecialTokensArePassedOverOnRequest) {
  const AddedTokens added({pattern("<bos>", 1, true), pattern("<table>", 2)});
  EXPECT_EQ(matches(added, "<bos><table>", ParseSpecial::kNo), "5-12:2");
  EXPECT_EQ(matches(added, "<bos><table>", ParseSpecial::kYes), "0-5:1 5-12:2");
}

TEST(AddedTokens, StrippingTakesWhiteSpaceButNotAnEarlierToken) {
  AddedTokens added({{"<m>", 1, true, true, true}, pattern("<n>", 2)});
  EXPECT_EQ(matches(added, "a \u3000<m>\n\t b"), "1-11:1");
  EXPECT_EQ(matches(added, "<n>  <m>  <m>"), "0-3:2 3-10:1 10-13:1");
  EXPECT_EQ(matches(added, "<m>"), "0-3:1");
}

TEST(AddedTokens, OfTwoWithTheSameTextTheFirstCounts) {
  EXPECT_EQ(matches(AddedTokens({pattern("x", 7), pattern("x", 8)}), "x"), "0-1:7");
}

TEST(AddedTokens, WithoutPatternsNothingIsFound) {
  const AddedTokens none({});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(matches(none, "abc"), "");
}

TEST(AddedTokens, AgreesWithASearchForEachPatternInTurn) {
  std::mt19937 random(7);
  const auto word = [&](std::size_t longest) {
    std::string text(1 + random() % longest, 'a');
    for (char& c : text) {
      c = static_cast<char>('a' + random() % 3);
    }
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<Pattern> patterns;
    for (TokenId id = 0; id < 6; ++id) {
      patterns.push_back(pattern(word(5), id));
    }
    const std::string text = word(40);
    std::string expected;
    for (std::size_t at = 0; at < text.size();) {
      const Pattern* longest = nullptr;
      for (const Pattern& candidate : patterns) {
        if (text.compare(at, candidate.text.size(), candidate.text) == 0 &&
            (longest == nullptr || candidate.text.size() > longest->text.size())) {
          longest = &candidate;
        }
      }
      const std::size_t end = at + (longest != nullptr ? longest->text.size() : 1);
      if (longest != nullptr) {
        expected += (expected.empty() ? "" : " ") + std::to_string(at) + "-" + std::to_string(end) +
                    ":" + std::to_string(longest->id);
      }
      at = end;
    }
    ASSERT_EQ(matches(AddedTokens(patterns), text), expected) << text << " in round " << round;
  }
}

}  // namespace
}  // namespace nolens
