#include "text/merges_from_scores.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "platform/mapped_file.h"
#include "text/tokenizer_data.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace nolens {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

Merges merges_of(const std::vector<ScoredToken>& tokens) {
  Merges merges;
  for (const auto& [left, right] : merges_from_scores(tokens, "test")) {
    merges.emplace_back(left, right);
  }
  return merges;
}

std::size_t count_chars(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t offset = 0; offset < text.size(); ++count) {
    offset += decode_char(text, offset).length;
  }
  return count;
}

/// The rule of the conversion, written down as it stands: sorted by (score, characters of the left,
/// characters of the right part), falling and stable.
Merges naive_merges(const std::vector<ScoredToken>& tokens) {
  std::map<std::string, std::size_t, std::less<>> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    ids.emplace(tokens[id].text, id);
  }
  using Key = std::tuple<float, std::size_t, std::size_t>;
  std::vector<std::pair<Key, std::pair<std::string, std::string>>> found;
  for (const ScoredToken& token : tokens) {
    const std::string text(token.text);
    std::vector<std::tuple<std::size_t, std::size_t, std::size_t>> local;
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = ids.find(text.substr(0, cut));
      const auto right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end()) {
        local.emplace_back(left->second, right->second, cut);
      }
    }
    std::sort(local.begin(), local.end());
    for (const auto& [left, right, cut] : local) {
      found.push_back(
          {{token.score, count_chars(text.substr(0, cut)), count_chars(text.substr(cut))},
           {text.substr(0, cut), text.substr(cut)}});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Merges merges;
  for (const auto& entry : found) {
    merges.push_back(entry.second);
  }
  return merges;
}

TEST(MergesFromScores, GoByScoreAndThenByTheLengthOfTheLeftPart) {
  const std::vector<ScoredToken> tokens = {{"a", -9},  {"b", -8},  {"c", -7},   {"ab", -2},
                                           {"bc", -1}, {"abc", 0}, {"cab", -3}, {"x", -4}};
  EXPECT_EQ(merges_of(tokens),
            (Merges{{"ab", "c"}, {"a", "bc"}, {"b", "c"}, {"a", "b"}, {"c", "ab"}}));
}

TEST(MergesFromScores, TokensWithOneScoreMixByLength) {
  const std::vector<ScoredToken> tokens = {{"\n", 0}, {"\n\n", 0}, {"\n\n\n", 0},
                                           {"▁", 0},  {"▁▁", 0},   {"▁▁▁", 0}};
  EXPECT_EQ(
      merges_of(tokens),
      (Merges{{"\n\n", "\n"}, {"▁▁", "▁"}, {"\n", "\n\n"}, {"▁", "▁▁"}, {"\n", "\n"}, {"▁", "▁"}}));
}

TEST(MergesFromScores, CutBetweenCharactersAndCountThem) {
  // "é" has two bytes; if bytes counted, ("é", "aa") would come before ("aaa", "b").
  const std::vector<ScoredToken> tokens = {{"é", -1},    {"aa", -1},   {"éaa", 0},
                                           {"aaa", -1},  {"b", -1},    {"aaab", 0},
                                           {"\xC3", -1}, {"\xA9", -1}, {"a", -2}};
  const Merges merges = merges_of(tokens);
  ASSERT_GE(merges.size(), 2U);
  EXPECT_EQ(merges[0], (std::pair<std::string, std::string>("aaa", "b")));
  EXPECT_EQ(merges[1], (std::pair<std::string, std::string>("é", "aa")));
  EXPECT_EQ(
      std::count(merges.begin(), merges.end(), std::pair<std::string, std::string>("\xC3", "\xA9")),
      0);
}

TEST(MergesFromScores, EmptyTextsTakeNoPart) {
  EXPECT_TRUE(merges_from_scores({}, "test").empty());
  const std::vector<ScoredToken> tokens = {{"", 0}, {"a", 0}, {"aa", 0}, {"", 5}};
  EXPECT_EQ(merges_of(tokens), (Merges{{"a", "a"}}));
}

TEST(MergesFromScores, InfiniteScoresAreScoresAndNanIsNot) {
  EXPECT_EQ(merges_of({{"a", 0}, {"b", -INFINITY}, {"aa", -INFINITY}, {"bb", INFINITY}}),
            (Merges{{"b", "b"}, {"a", "a"}}));
  const std::vector<ScoredToken> tokens = {{"a", 0}, {"aa", NAN}};
  try {
    merges_from_scores(tokens, "model.gguf");
    FAIL() << "NaN was taken for a score";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
    EXPECT_NE(std::string(error.what()).find("model.gguf: the score of token 1"),
              std::string::npos);
  }
}

TEST(MergesFromScores, OneEndlessTokenCostsLinearTime) {
  const std::string text(4U << 20U, 'a');
  EXPECT_TRUE(merges_of({{text, 0}, {"b", 0}}).empty());
}

TEST(MergesFromScores, AreThoseOfTheRuleForRandomVocabularies) {
  const std::vector<std::string> alphabet = {"a", "b", "é", "▁", "𝔹"};
  std::mt19937 random(20);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts = alphabet;
    const std::size_t size = 5 + random() % 60;
    while (texts.size() < size) {
      std::string text = texts[random() % texts.size()] + texts[random() % texts.size()];
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
        texts.push_back(std::move(text));
      }
    }
    std::shuffle(texts.begin(), texts.end(), random);
    std::vector<ScoredToken> tokens;
    for (const std::string& text : texts) {
      tokens.push_back({text, -static_cast<float>(random() % (round % 2 == 0 ? 4 : 1000))});
    }
    ASSERT_EQ(merges_of(tokens), naive_merges(tokens)) << "round " << round;
  }
}

TEST(MergesFromScores, EqualThoseOfTheReleasedVocabulary) {
  const char* const file = std::getenv("NOLENS_GEMMA_TOKENIZER");
  if (file == nullptr) {
    GTEST_SKIP() << "set NOLENS_GEMMA_TOKENIZER to a tokenizer.json of Gemma 3 or 4 to run this";
  }
  const std::string json = read_file(file, std::size_t{256} << 20U, ErrorCode::kModel);
  const TokenizerData data = parse_tokenizer_json(json, "tokenizer.json");
  // The first ordinary piece scores 0 and each further one less; added tokens and bytes score 0.
  std::vector<bool> is_piece(data.tokens.size(), true);
  for (const TokenizerData::AddedToken& added : data.added_tokens) {
    is_piece[static_cast<std::size_t>(added.id)] = false;
  }
  std::vector<ScoredToken> tokens;
  float score = 0.0F;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const std::string_view text = data.tokens[id].text;
    const bool scores = is_piece[id] && !text.starts_with("<0x");
    tokens.push_back({text, scores ? score : 0.0F});
    score -= scores ? 1.0F : 0.0F;
  }
  EXPECT_GT(data.merges.size(), 500'000U);
  const auto merges = merges_from_scores(tokens, "test");
  ASSERT_EQ(merges.size(), data.merges.size());
  const auto [mine, theirs] = std::mismatch(merges.begin(), merges.end(), data.merges.begin());
  EXPECT_EQ(mine, merges.end()) << "merge " << mine - merges.begin() << ": '" << mine->first
                                << "' + '" << mine->second << "', expected '" << theirs->first
                                << "' + '" << theirs->second << "'";
}

}  // namespace
}  // namespace nolens
