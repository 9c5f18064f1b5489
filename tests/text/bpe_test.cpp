// Byte-pair encoding against its definition, and vocabularies with odd corners.
#include "text/bpe.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "text/utf8.h"

namespace nolens {
namespace {

/// A vocabulary that owns its texts.
struct Words {
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;

  /// Points into this object.
  [[nodiscard]] TokenizerData data() const& {
    TokenizerData data;
    for (const std::string& token : tokens) {
      data.tokens.push_back({token, false, true});
    }
    data.merges.assign(merges.begin(), merges.end());
    return data;
  }
  TokenizerData data() && = delete;
};

std::vector<TokenId> encode(const TokenizerData& data, std::string_view text) {
  const Vocabulary vocabulary(data);
  const Bpe bpe(data, vocabulary);
  std::vector<TokenId> ids;
  BpeScratch scratch;
  bpe.encode(text, ids, scratch);
  return ids;
}

/// The definition, as slowly as it reads: no cuts, no heap, no table of characters.
std::vector<TokenId> encode_slowly(const Words& words, TokenId unknown, std::string_view text) {
  std::vector<std::string> symbols;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = decode_char(text, at).length;
    symbols.emplace_back(text.substr(at, length));
    at += length;
  }
  while (true) {
    std::size_t best_rank = words.merges.size();
    std::size_t best_at = 0;
    for (std::size_t at = 0; at + 1 < symbols.size(); ++at) {
      const auto found = std::find(words.merges.begin(), words.merges.end(),
                                   std::pair(symbols[at], symbols[at + 1]));
      const auto rank = static_cast<std::size_t>(found - words.merges.begin());
      if (rank < best_rank) {
        best_rank = rank;
        best_at = at;
      }
    }
    if (best_rank == words.merges.size()) {
      break;
    }
    symbols[best_at] += symbols[best_at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
  std::vector<TokenId> ids;
  bool after_unknown = false;
  for (const std::string& symbol : symbols) {
    const auto found = std::find(words.tokens.begin(), words.tokens.end(), symbol);
    const bool known = found != words.tokens.end();
    if (known || !after_unknown) {
      ids.push_back(known ? static_cast<TokenId>(found - words.tokens.begin()) : unknown);
    }
    after_unknown = !known;
  }
  return ids;
}

Words random_words(std::mt19937& random, const std::vector<std::string>& alphabet,
                   std::size_t merges) {
  Words words{alphabet, {}};
  std::set<std::string> known(alphabet.begin(), alphabet.end());
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < merges; ++i) {
    const std::string left = words.tokens[random() % words.tokens.size()];
    const std::string right = words.tokens[random() % words.tokens.size()];
    if (left.size() + right.size() > 12 || !seen.insert({left, right}).second) {
      continue;
    }
    words.merges.emplace_back(left, right);
    if (known.insert(left + right).second) {
      words.tokens.push_back(left + right);
    }
  }
  std::shuffle(words.merges.begin(), words.merges.end(), random);
  return words;
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& alphabet,
                        std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    text += alphabet[random() % alphabet.size()];
  }
  return text;
}

TEST(Bpe, AgreesWithTheDefinitionForRandomVocabularies) {
  const std::vector<std::vector<std::string>> alphabets = {
      {"a", "b"}, {"a", "b", "c", "d", "e", "f"}, {"▁", "a", "é", "中", "😀", "\n"}};
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    const auto& alphabet = alphabets[random() % alphabets.size()];
    Words words = random_words(random, alphabet, 1 + random() % 60);
    std::vector<std::string> letters = alphabet;
    letters.insert(letters.end(), {"?", "ß"});  // not in the vocabulary
    words.tokens.emplace_back("<unk>");
    TokenizerData data = words.data();
    data.unknown = static_cast<TokenId>(words.tokens.size() - 1);
    data.fuse_unknown = true;
    const Vocabulary vocabulary(data);
    const Bpe bpe(data, vocabulary);
    BpeScratch scratch;
    for (const std::size_t length : {0U, 1U, 2U, 7U, 40U, 41U, 42U, 150U}) {
      const std::string text = random_text(random, round % 2 == 0 ? alphabet : letters, length);
      std::vector<TokenId> ids;
      bpe.encode(text, ids, scratch);
      ASSERT_EQ(ids, encode_slowly(words, data.unknown, text)) << text << " in round " << round;
      ids.clear();
      bpe.encode(text, ids, scratch);  // with what the first call remembered
      ASSERT_EQ(ids, encode_slowly(words, data.unknown, text)) << text << " in round " << round;
    }
  }
}

TEST(Bpe, OfEqualRanksTheLeftmostMergesFirst) {
  const Words words{{"a", "aa"}, {{"a", "a"}}};
  EXPECT_EQ(encode(words.data(), "aaa"), (std::vector<TokenId>{1, 0}));
  EXPECT_EQ(encode(words.data(), std::string(101, 'a')).back(), 0);
}

TEST(Bpe, ATokenThatMergesCannotBuildIsNotUsedUnlessMergesAreIgnored) {
  const Words words{{"a", "b", "c", "bc", "abc"}, {{"b", "c"}}};
  TokenizerData data = words.data();
  EXPECT_EQ(encode(data, "abc"), (std::vector<TokenId>{0, 3}));
  data.ignore_merges = true;
  EXPECT_EQ(encode(data, "abc"), (std::vector<TokenId>{4}));
}

TEST(Bpe, UnknownCharactersAreBytesIfAllTheirBytesAreTokens) {
  const Words words{{"<unk>", "<0xC3>", "<0xA9>", "a"}, {}};
  TokenizerData data = words.data();
  data.unknown = 0;
  data.byte_fallback = true;
  EXPECT_EQ(encode(data, "aé"), (std::vector<TokenId>{3, 1, 2}));
  EXPECT_EQ(encode(data, "ü"), (std::vector<TokenId>{0})) << "<0xBC> is missing";
  EXPECT_EQ(encode(data, "\xC3z"), (std::vector<TokenId>{1, 0})) << "not UTF-8";
  data.byte_fallback = false;
  EXPECT_EQ(encode(data, "aé"), (std::vector<TokenId>{3, 0}));
}

TEST(Bpe, UnknownCharactersInARowAreOneTokenOnlyIfFused) {
  const Words words{{"<unk>", "a"}, {}};
  TokenizerData data = words.data();
  data.unknown = 0;
  EXPECT_EQ(encode(data, "xya中"), (std::vector<TokenId>{0, 0, 1, 0}));
  data.fuse_unknown = true;
  EXPECT_EQ(encode(data, "xya中"), (std::vector<TokenId>{0, 1, 0}));
}

TEST(Bpe, WithoutAnUnknownTokenNeighboursOfADroppedCharacterMerge) {
  const Words words{{"a", "aa"}, {{"a", "a"}}};
  EXPECT_EQ(encode(words.data(), "axa"), (std::vector<TokenId>{1}));
}

TEST(Bpe, MergesOfByteTokensAreFollowedAcrossCharacters) {
  // With all 256 byte tokens, so that nothing else keeps the text from being cut.
  Words words;
  constexpr char kHex[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    words.tokens.push_back({'<', '0', 'x', kHex[byte / 16], kHex[byte % 16], '>'});
  }
  words.tokens.emplace_back("<0xA9><0xC3>");
  words.merges.emplace_back("<0xA9>", "<0xC3>");
  TokenizerData data = words.data();
  data.byte_fallback = true;
  EXPECT_EQ(encode(data, "éé"), (std::vector<TokenId>{0xC3, 256, 0xA9}));
}

TEST(Bpe, SpecialTokensAreNeverBuilt) {
  const Words words{{"a", "b", "ab", "abb"}, {{"a", "b"}, {"ab", "b"}}};
  TokenizerData data = words.data();
  data.tokens[2].special = true;
  EXPECT_EQ(encode(data, "ab"), (std::vector<TokenId>{0, 1}));
  EXPECT_EQ(encode(data, "abb"), (std::vector<TokenId>{0, 1, 1}));
  data.ignore_merges = true;
  EXPECT_EQ(encode(data, "ab"), (std::vector<TokenId>{0, 1}));
  TokenizerData letter = words.data();
  letter.tokens[0].special = true;
  letter.tokens.push_back({"<unk>", true, true});
  letter.unknown = 4;
  EXPECT_EQ(encode(letter, "ab"), (std::vector<TokenId>{4, 1}));
}

TEST(Bpe, AMegabyteOfOneCharacterIsEncodedWithoutRecursion) {
  Words words{{"a", "aa", "aaaa"}, {{"a", "a"}, {"aa", "aa"}}};
  const std::vector<TokenId> ids = encode(words.data(), std::string(1'000'001, 'a'));
  ASSERT_EQ(ids.size(), 250'001U);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 250'000);
  EXPECT_EQ(ids.back(), 0);
}

TEST(Bpe, APairListedTwiceHasItsLaterRank) {
  const Words words{{"a", "b", "c", "ab", "bc"}, {{"a", "b"}, {"b", "c"}, {"a", "b"}}};
  EXPECT_EQ(encode(words.data(), "abc"), (std::vector<TokenId>{0, 4}));
}

TEST(Bpe, VocabulariesThatContradictThemselvesAreRefused) {
  const auto message = [](const Words& words) -> std::string {
    try {
      encode(words.data(), "");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kModel);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message({{"a", ""}, {}}).find("token 1 '' is empty"), std::string::npos);
  EXPECT_NE(message({{"a", "b", "a"}, {}}).find("token 2 'a' is also token 0"), std::string::npos);
  EXPECT_NE(message({{"a\xFF"}, {}}).find("'a\\xff' is not valid UTF-8"), std::string::npos);
  EXPECT_NE(message({{"a", "b"}, {{"a", "b"}}}).find("merge 0 ('a', 'b') needs the token 'ab'"),
            std::string::npos);
  EXPECT_NE(message({{"a", "aa"}, {{"a", "a"}, {"x", "a"}}}).find("merge 1"), std::string::npos);
}

}  // namespace
}  // namespace nolens
