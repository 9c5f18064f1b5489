// The public tokenizer on a vocabulary that can be checked by hand.
#include "nolens/tokenizer.h"

#include <atomic>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "text/small_tokenizer.h"
#include "text/utf8.h"

namespace nolens {
namespace {

using testing::byte_id;
using ::testing::ElementsAre;
using testing::Json;
using testing::kBos;
using testing::kTurn;
using testing::small_tokenizer_json;

class TokenizerTest : public ::testing::Test {
 protected:
  std::vector<std::string> pieces(std::string_view text,
                                  ParseSpecial parse_special = ParseSpecial::kNo) const {
    std::vector<std::string> result;
    for (const TokenId id : tokenizer.encode(text, parse_special)) {
      result.emplace_back(tokenizer.piece(id));
    }
    return result;
  }

  const Tokenizer tokenizer = testing::load(small_tokenizer_json());
};

TEST_F(TokenizerTest, MergesFormWords) {
  EXPECT_THAT(pieces("hello world"), ElementsAre("hello", " world"));
  EXPECT_THAT(pieces("abc ab"), ElementsAre("abc", " ", "ab"));
  EXPECT_THAT(pieces("\n\n\n\n  "), ElementsAre("\n\n", "\n\n", "  "));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre());
}

TEST_F(TokenizerTest, CharactersOutsideTheVocabularyBecomeBytes) {
  EXPECT_THAT(tokenizer.encode("ß"), ElementsAre(byte_id(0xC3), byte_id(0x9F)));
  EXPECT_THAT(tokenizer.encode("😀"),
              ElementsAre(byte_id(0xF0), byte_id(0x9F), byte_id(0x98), byte_id(0x80)));
}

TEST_F(TokenizerTest, BytesThatAreNoUtf8BecomeByteTokens) {
  EXPECT_THAT(tokenizer.encode("a\xFF\xC3"),
              ElementsAre(tokenizer.find("a"), byte_id(0xFF), byte_id(0xC3)));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xFF\xC3")), "a��");
}

TEST_F(TokenizerTest, SpecialTextIsPlainUnlessAskedFor) {
  EXPECT_THAT(tokenizer.encode("<bos>a", ParseSpecial::kYes),
              ElementsAre(kBos, tokenizer.find("a")));
  for (const TokenId id : tokenizer.encode("<bos><|turn><pad>a<eos>")) {
    EXPECT_FALSE(tokenizer.is_special(id)) << id;
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("<bos><|turn>")), "<bos><|turn>");
}

TEST_F(TokenizerTest, PlainTextNeverBecomesSpecialEvenIfMergesWouldAllowIt) {
  Json json = small_tokenizer_json();
  Json& vocab = json["model"]["vocab"];
  const auto first = static_cast<TokenId>(vocab.size());  // "<table>" moves up
  TokenId next = first;
  for (const char* text : {"<|", "tu", "rn", "turn", "turn>"}) {
    vocab[text] = next++;
  }
  json["added_tokens"][5]["id"] = next;
  json["model"]["merges"].insert(
      json["model"]["merges"].begin(),
      {{"<", "|"}, {"t", "u"}, {"r", "n"}, {"tu", "rn"}, {"turn", ">"}, {"<|", "turn>"}});
  json["model"]["ignore_merges"] = true;
  const Tokenizer dangerous = testing::load(json);
  EXPECT_THAT(dangerous.encode("<|turn>"),
              ElementsAre(dangerous.find("<|"), dangerous.find("turn>")));
  EXPECT_THAT(dangerous.encode("<|turn>", ParseSpecial::kYes), ElementsAre(kTurn));
}

TEST_F(TokenizerTest, ASpecialCharacterIsNotASymbolOfPlainText) {
  Json json = small_tokenizer_json();
  json["added_tokens"].push_back(testing::added_token(json["model"]["vocab"]["é"], "é", true));
  const Tokenizer strict = testing::load(json);
  EXPECT_THAT(strict.encode("é"), ElementsAre(byte_id(0xC3), byte_id(0xA9)));
  EXPECT_THAT(strict.encode("é", ParseSpecial::kYes), ElementsAre(strict.find("é")));
}

TEST_F(TokenizerTest, AddedTokensThatAreNotSpecialAreAlwaysFound) {
  for (const ParseSpecial parse_special : {ParseSpecial::kNo, ParseSpecial::kYes}) {
    EXPECT_THAT(pieces("a<table>b", parse_special), ElementsAre("a", "<table>", "b"));
  }
}

TEST_F(TokenizerTest, NormalizedAddedTokensAreFoundAfterTheNormalizer) {
  Json json = small_tokenizer_json();
  json["added_tokens"][5]["content"] = "a b";
  EXPECT_EQ(testing::load(json).encode("a b").size(), 1U);
  EXPECT_EQ(testing::load(json).encode("a▁b").size(), 3U);
  json["added_tokens"][5]["normalized"] = true;
  EXPECT_EQ(testing::load(json).encode("a b").size(), 1U);
  EXPECT_EQ(testing::load(json).encode("a▁b").size(), 1U);
}

TEST_F(TokenizerTest, SplitAfterASpaceKeepsMergesInside) {
  Json json = small_tokenizer_json();
  json["normalizer"] = nullptr;
  Json& model = json["model"];
  const auto size = static_cast<TokenId>(model["vocab"].size());
  model["vocab"][" "] = size;
  model["vocab"]["a "] = size + 1;
  model["vocab"]["a a"] = size + 2;
  json["added_tokens"][5]["id"] = size + 3;
  model["merges"] = Json::array({Json::array({"a", " "}), Json::array({"a ", "a"})});
  EXPECT_THAT(testing::load(json).encode("a a"),
              ElementsAre(size + 1, testing::load(json).find("a")));
  json["pre_tokenizer"] = nullptr;
  EXPECT_THAT(testing::load(json).encode("a a"), ElementsAre(size + 2));
}

TEST_F(TokenizerTest, DecodingAnEncodedTextGivesTheText) {
  std::mt19937 random(3);
  const std::vector<std::string> parts = {"hello", " ", "world", "\n", "a",    "b",       "é",
                                          "中",    "😀", "ß",     "<",  "bos>", "<table>", "\t"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i) {
      text += parts[random() % parts.size()];
    }
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, ParseSpecial::kYes)), text);
  }
}

TEST_F(TokenizerTest, ARunOfByteTokensIsDecodedAsAWhole) {
  EXPECT_EQ(tokenizer.decode({byte_id(0xE4), byte_id(0xBD), byte_id(0xA0)}), "你");
  EXPECT_EQ(
      tokenizer.decode({byte_id(0xE4), byte_id(0xBD), byte_id(0xA0), byte_id('a'), byte_id(0xFF)}),
      "�����");
  EXPECT_EQ(tokenizer.decode({byte_id(0xE4), tokenizer.find("a"), byte_id(0xBD)}), "�a�");
}

TEST_F(TokenizerTest, UnknownIdsAndSkippedSpecialTokensDoNotEndARun) {
  const std::vector<TokenId> ids = {byte_id(0xC3), kBos, -1, 1'000'000, byte_id(0xA9)};
  EXPECT_EQ(tokenizer.decode(ids, true), "é");
  EXPECT_EQ(tokenizer.decode(ids, false), "�<bos>�");
}

TEST_F(TokenizerTest, PiecesAreRawBytes) {
  EXPECT_EQ(tokenizer.piece(byte_id(0xC3)), "\xC3");
  EXPECT_TRUE(tokenizer.is_byte(byte_id(0xC3)));
  EXPECT_EQ(tokenizer.piece(tokenizer.find("▁world")), " world");
  EXPECT_FALSE(tokenizer.is_byte(tokenizer.find("▁world")));
  for (const TokenId id : {-1, -2147483647, 2147483647, static_cast<TokenId>(tokenizer.size())}) {
    EXPECT_EQ(tokenizer.piece(id), "");
    EXPECT_FALSE(tokenizer.is_special(id) || tokenizer.is_byte(id));
  }
}

TEST_F(TokenizerTest, FindsVocabularyEntriesAndAddedTokens) {
  EXPECT_EQ(tokenizer.find("<bos>"), kBos);
  EXPECT_EQ(tokenizer.find("<table>"), tokenizer.size() - 1);
  EXPECT_EQ(tokenizer.find("hell"), tokenizer.find("hello") - 1);
  EXPECT_EQ(tokenizer.find(""), -1);
  EXPECT_EQ(tokenizer.find("hellx"), -1);
}

TEST_F(TokenizerTest, EncodingAppends) {
  std::vector<TokenId> ids = {kBos};
  tokenizer.encode("hello", ParseSpecial::kNo, ids);
  EXPECT_THAT(ids, ElementsAre(kBos, tokenizer.find("hello")));
}

TEST_F(TokenizerTest, TextBeyondTheLimitIsRefusedAndLeavesTheIdsAlone) {
  Json json = small_tokenizer_json();
  json["normalizer"]["content"] = std::string(100'000, 'x');
  const Tokenizer growing = testing::load(json);
  std::vector<TokenId> ids = {kBos};
  try {
    growing.encode("a<table>" + std::string(3000, ' '), ParseSpecial::kNo, ids);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResource);
  }
  EXPECT_THAT(ids, ElementsAre(kBos));
}

TEST_F(TokenizerTest, HostileTextIsEncodedAndComesBack) {
  const auto repeat = [](std::string_view text, int count) {
    std::string result;
    for (int i = 0; i < count; ++i) {
      result += text;
    }
    return result;
  };
  for (const std::string& text : {repeat("a", 300'000), repeat("\n", 300'000), repeat(" ", 300'000),
                                  repeat("\u0301", 100'000), repeat("\u202e", 100'000),
                                  repeat("<bos", 80'000), repeat("ab", 150'000)}) {
    EXPECT_TRUE(tokenizer.decode(tokenizer.encode(text)) == text) << text.substr(0, 4);
  }
}

TEST_F(TokenizerTest, ThreadsMayShareOneTokenizer) {
  const std::string text = "hello world abc ab bc\n\n\nhello ß😀 " + std::string(100, 'a');
  const std::vector<TokenId> expected = testing::load(small_tokenizer_json()).encode(text);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        wrong += tokenizer.encode(text) == expected ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(TokenizerTest, AMissingFileIsAModelError) {
  try {
    static_cast<void>(Tokenizer::load("/nonexistent/tokenizer.json"));
    ADD_FAILURE() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("/nonexistent/tokenizer.json"));
  }
}

TEST_F(TokenizerTest, PlainDataWithWrongIdsIsRefused) {
  TokenizerData data;
  data.tokens = {{"a", false, true}};
  data.added_tokens = {{1, false, false, false}};
  EXPECT_THROW(static_cast<void>(Tokenizer::from_data(data)), Error);
  data.added_tokens.clear();
  data.unknown = 1;
  EXPECT_THROW(static_cast<void>(Tokenizer::from_data(data)), Error);
  data.unknown = 0;
  EXPECT_EQ(Tokenizer::from_data(data).encode("b"), (std::vector<TokenId>{0}));
}

}  // namespace
}  // namespace nolens
