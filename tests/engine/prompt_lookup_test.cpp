// Drafts from what was said before, against a search through everything.
#include "engine/prompt_lookup.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "engine/draft_length.h"

namespace nolens {
namespace {

std::vector<TokenId> draft_after(const std::vector<TokenId>& ids, std::int64_t most) {
  PromptLookup lookup(1000);
  std::vector<TokenId> draft;
  lookup.propose(ids, most, draft);
  return draft;
}

TEST(PromptLookup, GoesOnAsTheLastTokensDidBefore) {
  EXPECT_EQ(draft_after({1, 2, 3, 4, 5, 6, 9, 1, 2, 3}, 3), (std::vector<TokenId>{4, 5, 6}));
}

TEST(PromptLookup, PrefersTheLongestRun) {
  // 5 6 7 was followed by 8 when 1 stood before it, and by 9 later, after something else.
  EXPECT_EQ(draft_after({1, 5, 6, 7, 8, 2, 5, 6, 7, 9, 3, 1, 5, 6, 7}, 1),
            (std::vector<TokenId>{8}));
}

TEST(PromptLookup, PrefersTheLatestOfEqualRuns) {
  EXPECT_EQ(draft_after({5, 6, 7, 8, 5, 6, 7, 9, 1, 5, 6, 7}, 1), (std::vector<TokenId>{9}));
}

TEST(PromptLookup, APeriodIsContinuedWithItself) {
  EXPECT_EQ(draft_after({1, 2, 1, 2, 1}, 5), (std::vector<TokenId>{2, 1, 2, 1, 2}));
  EXPECT_EQ(draft_after({7, 7, 7, 7}, 4), (std::vector<TokenId>{7, 7, 7, 7}));
}

TEST(PromptLookup, HasNothingToSayWhereNothingRepeats) {
  EXPECT_TRUE(draft_after({}, 4).empty());
  EXPECT_TRUE(draft_after({1}, 4).empty());
  EXPECT_TRUE(draft_after({1, 2, 3, 4, 5, 6, 7, 8}, 4).empty());
  EXPECT_TRUE(draft_after({8, 9, 1, 2, 7, 8, 9}, 4).empty()) << "a run of two is too short";
}

/// What the class promises, by looking at every position.
std::vector<TokenId> searched(const std::vector<TokenId>& ids, std::int64_t most) {
  const auto size = static_cast<std::ptrdiff_t>(ids.size());
  for (const std::ptrdiff_t length : {6, 4, 3}) {
    for (std::ptrdiff_t next = size - 1; next >= length; --next) {
      if (std::equal(ids.begin() + next - length, ids.begin() + next, ids.end() - length)) {
        std::vector<TokenId> all(ids.begin() + next, ids.end());
        while (static_cast<std::int64_t>(all.size()) < most) {
          all.push_back(all[all.size() - static_cast<std::size_t>(size - next)]);
        }
        all.resize(static_cast<std::size_t>(most));
        return all;
      }
    }
  }
  return {};
}

TEST(PromptLookup, FindsWhatASearchThroughEverythingFinds) {
  std::mt19937 random(3);
  int found = 0;
  for (int run = 0; run < 40; ++run) {
    PromptLookup lookup(100'000);  // tables so large that no two of the runs share a slot
    std::vector<TokenId> ids;
    while (ids.size() < 300) {
      for (std::uint32_t i = 0; i <= random() % 4; ++i) {
        ids.push_back(static_cast<TokenId>(random() % 3) * static_cast<TokenId>(random() % 2));
      }
      const auto most = static_cast<std::int64_t>(random() % 8 + 1);
      std::vector<TokenId> draft = {-7};
      lookup.propose(ids, most, draft);
      ASSERT_EQ(draft.at(0), -7) << "what was there stays";
      draft.erase(draft.begin());
      ASSERT_EQ(draft, searched(ids, most)) << "after " << ids.size() << " tokens";
      found += draft.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(found, 1000);
}

TEST(PromptLookup, MoreTextThanExpectedNeedsNoMoreMemoryAndStaysRight) {
  PromptLookup lookup(16);
  const std::int64_t bytes = lookup.bytes();
  std::mt19937 random(4);
  std::vector<TokenId> ids;
  for (int i = 0; i < 50'000; ++i) {
    ids.push_back(static_cast<TokenId>(random() % 50));
    if (i % 7 == 0) {
      std::vector<TokenId> draft;
      lookup.propose(ids, 1, draft);
      if (!draft.empty()) {
        const std::vector<TokenId> run = {ids.end() - 3, ids.end()};
        std::vector<TokenId> expected = run;
        expected.push_back(draft[0]);
        ASSERT_NE(std::search(ids.begin(), ids.end(), expected.begin(), expected.end()), ids.end());
      }
    }
  }
  EXPECT_EQ(lookup.bytes(), bytes);
}

TEST(DraftLength, GrowsToTheMostWhileEverythingIsAccepted) {
  DraftLength length(7);
  std::int64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    last = length.next();
    length.record(last, last);
  }
  EXPECT_EQ(last, 7);
}

TEST(DraftLength, NeverExceedsTheMost) {
  for (std::int64_t most = 1; most <= 9; ++most) {
    DraftLength length(most);
    for (int i = 0; i < 10; ++i) {
      const std::int64_t next = length.next();
      ASSERT_LE(next, most);
      ASSERT_GE(next, 1);
      length.record(next, next);
    }
  }
}

TEST(DraftLength, FollowsWhatIsAccepted) {
  DraftLength length(8);
  length.record(4, 4);
  ASSERT_EQ(length.next(), 8);
  length.record(8, 2);
  EXPECT_EQ(length.next(), 3);
}

TEST(DraftLength, WhereEveryDraftFailsHardlyAnyIsMade) {
  DraftLength length(8);
  std::int64_t drafted = 0;
  for (int pass = 0; pass < 1000; ++pass) {
    const std::int64_t next = length.next();
    if (next > 0) {
      drafted += next;
      length.record(next, 0);
    }
  }
  EXPECT_LE(drafted, 45);
  EXPECT_GE(drafted, 25);
}

TEST(DraftLength, OneSuccessEndsThePauses) {
  DraftLength length(8);
  for (int i = 0; i < 200; ++i) {
    if (const std::int64_t next = length.next(); next > 0) {
      length.record(next, 0);
    }
  }
  while (length.next() == 0) {
  }
  length.record(1, 1);
  EXPECT_EQ(length.next(), 2);
}

}  // namespace
}  // namespace nolens
