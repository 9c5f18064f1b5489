// Ids and text against the tokenizers library (tests/golden/tokenizer).
#include <gtest/gtest.h>

#include "nolens/tokenizer.h"

#include "parity/golden_json.h"

namespace nolens {
namespace {

using testing::golden_folder;
using testing::golden_json;

class TokenizerGolden : public ::testing::Test {
 protected:
  const Json json = golden_json("tokenizer");
  const Tokenizer tokenizer = Tokenizer::load(golden_folder("tokenizer") / "tokenizer.json");
};

TEST_F(TokenizerGolden, TextWithoutControlTokensGivesTheSameIds) {
  for (const Json& entry : json.at("encode")) {
    EXPECT_EQ(tokenizer.encode(entry.at("text").get<std::string>(), ParseSpecial::kNo),
              entry.at("ids").get<std::vector<TokenId>>())
        << entry.at("text");
  }
}

TEST_F(TokenizerGolden, TextWithControlTokensGivesTheSameIds) {
  for (const Json& entry : json.at("encode")) {
    EXPECT_EQ(tokenizer.encode(entry.at("text").get<std::string>(), ParseSpecial::kYes),
              entry.at("ids_special").get<std::vector<TokenId>>())
        << entry.at("text");
  }
}

TEST_F(TokenizerGolden, DecodingGivesTheSameText) {
  for (const Json& entry : json.at("encode")) {
    EXPECT_EQ(tokenizer.decode(entry.at("ids").get<std::vector<TokenId>>()), entry.at("decoded"))
        << entry.at("text");
    EXPECT_EQ(tokenizer.decode(entry.at("ids_special").get<std::vector<TokenId>>(), true),
              entry.at("decoded_skip_special"))
        << entry.at("text");
  }
}

TEST_F(TokenizerGolden, AnyIdsDecodeToTheSameText) {
  for (const Json& entry : json.at("decode")) {
    const auto ids = entry.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.decode(ids), entry.at("text")) << entry.at("ids");
    EXPECT_EQ(tokenizer.decode(ids, true), entry.at("text_skip_special")) << entry.at("ids");
  }
}

TEST_F(TokenizerGolden, PiecesJoinedAreTheDecodedText) {
  for (const Json& entry : json.at("encode")) {
    std::string joined;
    for (const TokenId id : entry.at("ids").get<std::vector<TokenId>>()) {
      joined += tokenizer.piece(id);
    }
    EXPECT_EQ(joined, entry.at("decoded")) << entry.at("text");
  }
}

}  // namespace
}  // namespace nolens
