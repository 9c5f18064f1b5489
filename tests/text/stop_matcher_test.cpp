// Stop texts across pushes, against a definition over the whole text.
#include "text/stop_matcher.h"

#include <random>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "text/utf8.h"

namespace nolens {
namespace {

/// What is shown of the whole text, found by looking at every prefix of it.
std::string shown_by_definition(const std::vector<std::string>& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) {
      return text.substr(0, end - longest);
    }
  }
  return text;
}

TEST(StopMatcher, AStopTextMayStraddlePushes) {
  StopMatcher matcher({"</s>"});
  EXPECT_EQ(matcher.push("a<"), "a");
  EXPECT_EQ(matcher.push("/"), "");
  EXPECT_EQ(matcher.push("s>b"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, HeldBackTextIsShownWhenItTurnsOutHarmless) {
  StopMatcher matcher({"</s>"});
  EXPECT_EQ(matcher.push("x</"), "x");
  EXPECT_EQ(matcher.push("b>"), "</b>");
  EXPECT_EQ(matcher.push("</s"), "");
  EXPECT_EQ(matcher.finish(), "</s");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.push(">"), ">") << "finish() begins anew";
}

TEST(StopMatcher, OnlyWhatMayStillBecomeAStopTextIsHeldBack) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.push("aaaa"), "aa");
  EXPECT_EQ(matcher.push("b"), "");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, TheTextCompleteFirstCountsAndOfThoseTheLongest) {
  StopMatcher first({"bcd", "ab"});
  EXPECT_EQ(first.push("xabcd"), "x");
  StopMatcher longest({"b", "ab", "aab"});
  EXPECT_EQ(longest.push("xaab"), "x");
}

TEST(StopMatcher, WithoutStopTextsNothingIsHeldBack) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.push("abc"), "abc");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, AnEmptyStopTextIsRefused) {
  try {
    StopMatcher matcher({"a", ""});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

TEST(StopMatcher, CharactersAreNotCut) {
  StopMatcher matcher({"你好", "😀😀"});
  std::string shown;
  for (const char* piece : {"你", "们", "😀", "你", "你", "a", "😀", "你", "好"}) {
    const std::string text = matcher.push(piece);
    EXPECT_TRUE(is_valid_utf8(text));
    shown += text;
  }
  EXPECT_EQ(shown, "你们😀你你a😀");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, TheResultDoesNotDependOnHowTheTextIsDivided) {
  std::mt19937 random(9);
  const auto word = [&](std::size_t longest) {
    std::string text;
    for (std::size_t i = 1 + random() % longest; i > 0; --i) {
      text += static_cast<char>('a' + random() % 2);
    }
    return text;
  };
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> stops;
    for (std::size_t i = random() % 4; i > 0; --i) {
      stops.push_back(word(7) + "b");
    }
    const std::string text = word(60);
    StopMatcher matcher(stops);
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = random() % 6;
      shown += matcher.push(text.substr(at, size));
      at += size;
    }
    shown += matcher.finish();
    ASSERT_EQ(shown, shown_by_definition(stops, text)) << "round " << round;
    ASSERT_EQ(matcher.stopped(), shown.size() < text.size()) << "round " << round;
  }
}

}  // namespace
}  // namespace nolens
