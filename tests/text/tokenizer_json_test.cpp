// What a tokenizer.json may say, and every way to refuse one.
#include "text/tokenizer_json.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "text/small_tokenizer.h"

namespace nolens {
namespace {

using testing::added_token;
using ::testing::HasSubstr;
using testing::Json;
using testing::small_tokenizer_json;

/// The message with which a document is refused, by the reader or by the tables built from it.
std::string refusal_of(const std::string& document) {
  try {
    static_cast<void>(Tokenizer::from_data(parse_tokenizer_json(document, "test.json")));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel) << error.what();
    EXPECT_EQ(std::string(error.what()).find("test.json: "), 0U) << error.what();
    return error.what();
  }
  return "accepted";
}

std::string refusal(const std::function<void(Json&)>& change) {
  Json json = small_tokenizer_json();
  change(json);
  return refusal_of(json.dump());
}

TEST(TokenizerJson, ReadsEveryPartOfASmallFile) {
  const TokenizerData data = parse_tokenizer_json(small_tokenizer_json().dump(), "test.json");
  ASSERT_EQ(data.tokens.size(), small_tokenizer_json()["model"]["vocab"].size() + 1);
  EXPECT_EQ(data.tokens[2].text, "<bos>");
  EXPECT_TRUE(data.tokens[2].special);
  EXPECT_EQ(data.tokens.back().text, "<table>");
  EXPECT_FALSE(data.tokens.back().special);
  EXPECT_FALSE(data.tokens.back().in_model);
  EXPECT_EQ(data.added_tokens.size(), 6U);
  EXPECT_EQ(data.merges.size(), 16U);
  EXPECT_EQ(data.merges[2].first, "h");
  EXPECT_EQ(data.merges[2].second, "e");
  EXPECT_EQ(data.unknown, 3);
  EXPECT_TRUE(data.byte_fallback && data.decode_bytes && data.fuse_unknown);
  EXPECT_TRUE(data.split_after_space);
  EXPECT_FALSE(data.ignore_merges || data.adds_bos);
  ASSERT_EQ(data.normalizer.size(), 1U);
  EXPECT_EQ(data.normalizer[0].to, "▁");
  ASSERT_EQ(data.decoder.size(), 1U);
  EXPECT_EQ(data.decoder[0].to, " ");
}

TEST(TokenizerJson, MergesInBothSpellingsMeanTheSame) {
  Json json = small_tokenizer_json();
  for (Json& merge : json["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const TokenizerData strings = parse_tokenizer_json(json.dump(), "test.json");
  const TokenizerData pairs = parse_tokenizer_json(small_tokenizer_json().dump(), "test.json");
  EXPECT_EQ(strings.merges, pairs.merges);
}

TEST(TokenizerJson, MalformedMergesAreNamedByTheirIndex) {
  for (const Json& merge :
       {Json("ab"), Json("a b c"), Json(" b"), Json("a "), Json(""), Json(7), Json::array(),
        Json{"a"}, Json{"a", "b", "c"}, Json{"a", 1}, Json{"", "b"}, Json(nullptr)}) {
    EXPECT_THAT(refusal([&](Json& json) { json["model"]["merges"][5] = merge; }),
                HasSubstr("model.merges[5]"))
        << merge;
  }
  EXPECT_THAT(refusal([](Json& json) {
                json["model"]["merges"][3] = {"a", "zzz"};
              }),
              HasSubstr("merge 3 ('a', 'zzz') needs the token 'zzz'"));
  EXPECT_THAT(refusal([](Json& json) {
                json["model"]["merges"][3] = {"hello", "hello"};
              }),
              HasSubstr("merge 3 ('hello', 'hello') needs the token 'hellohello'"));
}

TEST(TokenizerJson, IdsAreNeverSizesOrIndexes) {
  for (const Json& id : {Json(-1), Json(2147483647), Json(4000000), Json(1e300), Json("7"),
                         Json(7.5), Json(18446744073709551615U), Json(nullptr), Json::array()}) {
    EXPECT_THAT(refusal([&](Json& json) { json["model"]["vocab"]["a"] = id; }),
                HasSubstr("model.vocab token 'a' needs an id from 0 to 3999999"))
        << id;
  }
  EXPECT_THAT(refusal([](Json& json) { json["model"]["vocab"]["a"] = 3999999; }),
              HasSubstr("token 'a' has id 3999999, but with"));
  EXPECT_THAT(refusal([](Json& json) { json["model"]["vocab"]["a"] = 7; }),
              HasSubstr("have the same id 7"));
  EXPECT_THAT(refusal([](Json& json) { json["added_tokens"][0]["id"] = 2147483647; }),
              HasSubstr("added_tokens[0].id"));
  EXPECT_THAT(refusal([](Json& json) { json["added_tokens"][0]["id"] = 11; }),
              HasSubstr("have the same id 11"));
  EXPECT_EQ(
      refusal_of(R"({"model":{"vocab":{"a":2000000000},"merges":[]},"decoder":{"type":"Fuse"}})")
          .find("test.json: model.vocab token 'a' needs an id"),
      0U);
}

TEST(TokenizerJson, GapsAndRepetitionsAreRefused) {
  EXPECT_THAT(refusal([](Json& json) { json["model"]["vocab"].erase("b"); }),
              HasSubstr("ids are expected to be 0 to"));
  std::string repeated = small_tokenizer_json().dump();
  const std::string key = "\"a\":";
  repeated.replace(repeated.find("\"b\":"), 4, key);
  EXPECT_THAT(refusal_of(repeated), HasSubstr("is also token"));
  EXPECT_THAT(refusal([](Json& json) { json["model"]["vocab"].clear(); }),
              HasSubstr("model.vocab has no tokens"));
}

TEST(TokenizerJson, EmptyTokensAreRefused) {
  EXPECT_THAT(refusal([](Json& json) {
                json["model"]["vocab"][""] = json["model"]["vocab"]["d"];
                json["model"]["vocab"].erase("d");
              }),
              HasSubstr("is empty"));
  EXPECT_THAT(refusal([](Json& json) { json["added_tokens"][1]["content"] = ""; }),
              HasSubstr("added_tokens[1].content is empty"));
}

TEST(TokenizerJson, AddedTokensMayExtendTheVocabularyButNotWithGaps) {
  const auto extend = [](TokenId distance) {
    return [distance](Json& json) {
      const auto size = static_cast<TokenId>(json["model"]["vocab"].size());
      json["added_tokens"].push_back(added_token(size + distance, "<image_soft_token>", true));
    };
  };
  EXPECT_EQ(refusal(extend(1)), "accepted");  // "<table>" is at distance 0
  EXPECT_THAT(refusal(extend(0)), HasSubstr("have the same id"));
  EXPECT_THAT(refusal(extend(2)), HasSubstr("ids are expected to be 0 to"));
}

TEST(TokenizerJson, OddByteTokensAreOrdinaryText) {
  Json json = small_tokenizer_json();
  auto next = static_cast<TokenId>(json["model"]["vocab"].size() + 1);
  for (const char* text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0x1>"}) {
    json["added_tokens"].push_back(added_token(next++, text, false));
  }
  const Tokenizer tokenizer = testing::load(json);
  for (const std::string text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0x1>"}) {
    const TokenId id = tokenizer.find(text);
    EXPECT_EQ(tokenizer.decode({id}), text);
    EXPECT_FALSE(tokenizer.is_byte(id));
  }
}

TEST(TokenizerJson, AMillionAddedTokensAreRefused) {
  std::string document = small_tokenizer_json().dump();
  const std::string list = "\"added_tokens\":[";
  const std::size_t at = document.find(list) + list.size();
  std::string many;
  for (int i = 0; i < 1'000'000; ++i) {
    many += R"({"id":0,"content":"<pad>","normalized":false},)";
  }
  document.insert(at, many);
  EXPECT_THAT(refusal_of(document), HasSubstr("added_tokens has more than 100000 entries"));
}

TEST(TokenizerJson, AVeryLongAddedTokenIsRefused) {
  EXPECT_THAT(refusal([](Json& json) {
                const auto size = static_cast<TokenId>(json["model"]["vocab"].size());
                json["added_tokens"].push_back(added_token(size + 1, std::string(513, 'x'), false));
              }),
              HasSubstr("is longer than 512 bytes"));
}

TEST(TokenizerJson, WhatIsNotSupportedIsNamedTogetherWithWhatIs) {
  struct Case {
    std::function<void(Json&)> change;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](Json& json) { json["model"]["type"] = "Unigram"; }, "only BPE is supported"},
      {[](Json& json) { json["model"]["dropout"] = 0.1; }, "model.dropout is not 0"},
      {[](Json& json) { json["model"]["end_of_word_suffix"] = "</w>"; }, "only null is supported"},
      {[](Json& json) { json["model"]["continuing_subword_prefix"] = "##"; },
       "model.continuing_subword_prefix is '##'"},
      {[](Json& json) { json["model"]["unk_token"] = "<nope>"; },
       "model.unk_token '<nope>' is not in the vocabulary"},
      {[](Json& json) {
         json["normalizer"] = {{"type", "NFKC"}};
       },
       "normalizer.type is 'NFKC'; supported normalizers are null, Replace"},
      {[](Json& json) {
         json["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}};
       },
       "normalizer.normalizers[0].type is 'Lowercase'"},
      {[](Json& json) {
         json["normalizer"]["pattern"] = {{"Regex", "(a+)+$"}};
       },
       "normalizer.pattern only {"},
      {[](Json& json) { json["normalizer"]["pattern"]["String"] = ""; }, "normalizer.pattern only"},
      {[](Json& json) {
         json["pre_tokenizer"] = {{"type", "ByteLevel"}};
       },
       "pre_tokenizer.type is 'ByteLevel'; supported are null and Split"},
      {[](Json& json) {
         json["pre_tokenizer"]["pattern"] = {{"Regex", "(a+)+$"}};
       },
       "pre_tokenizer.pattern is another kind of Split"},
      {[](Json& json) { json["pre_tokenizer"]["behavior"] = "Isolated"; }, "pre_tokenizer.pattern"},
      {[](Json& json) { json["pre_tokenizer"]["invert"] = true; }, "pre_tokenizer.pattern"},
      {[](Json& json) { json["decoder"] = nullptr; }, "decoder is missing; supported is"},
      {[](Json& json) {
         json["decoder"] = {{"type", "ByteLevel"}};
       },
       "decoder.type 'ByteLevel' cannot stand here; supported is"},
      {[](Json& json) {
         json["decoder"]["decoders"].push_back({{"type", "Strip"}});
       },
       "decoder.decoders[3].type 'Strip'"},
      {[](Json& json) {
         std::swap(json["decoder"]["decoders"][0], json["decoder"]["decoders"][1]);
       },
       "decoder.decoders[1].type 'Replace' cannot stand here"},
      {[](Json& json) {
         json["post_processor"] = {{"type", "RobertaProcessing"}};
       },
       "supported are null and TemplateProcessing"},
      {[](Json& json) { json["added_tokens"][0]["single_word"] = true; },
       "added_tokens[0].single_word is true"},
      {[](Json& json) { json["added_tokens"][0].erase("content"); },
       "added_tokens[0].content is missing; expected a string"},
      {[](Json& json) { json["added_tokens"][0]["special"] = "yes"; },
       "added_tokens[0].special expected true or false, found 'yes'"},
      {[](Json& json) { json["added_tokens"] = 3; }, "added_tokens expected an array, found 3"},
      {[](Json& json) { json["added_tokens"][0] = "x"; }, "added_tokens[0] expected an object"},
      {[](Json& json) { json.erase("model"); }, "model is missing"},
      {[](Json& json) { json["model"].erase("vocab"); }, "model.vocab is missing"},
      {[](Json& json) { json["model"].erase("merges"); }, "model.merges is missing"},
      {[](Json& json) { json["model"]["merges"] = Json::object(); },
       "model.merges expected an array"},
  };
  for (const Case& test : cases) {
    EXPECT_THAT(refusal(test.change), HasSubstr(test.message));
  }
}

TEST(TokenizerJson, WhatIsNoJsonObjectIsRefused) {
  for (const char* document :
       {"", " ", "{", "[]", "null", "7", "{\"model\":{}} x", "\xFF", "{\"a\":NaN}"}) {
    EXPECT_NE(refusal_of(document), "accepted") << document;
  }
  EXPECT_THAT(refusal_of(std::string(100'000, '[')), HasSubstr("not valid JSON"));
}

TEST(TokenizerJson, ATemplateThatAddsBosIsReadAndNotApplied) {
  Json json = small_tokenizer_json();
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<bos>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", Json::array()},
      {"special_tokens", {{"<bos>", {{"id", "<bos>"}, {"ids", {2}}, {"tokens", {"<bos>"}}}}}}};
  EXPECT_TRUE(parse_tokenizer_json(json.dump(), "test.json").adds_bos);
  EXPECT_EQ(testing::load(json).encode("hello"),
            testing::load(small_tokenizer_json()).encode("hello"));
  json["post_processor"]["special_tokens"].clear();
  EXPECT_THAT(refusal_of(json.dump()),
              HasSubstr("'<bos>' is not in post_processor.special_tokens"));
}

TEST(TokenizerJson, TruncationAndPaddingAreTheEnginesBusiness) {
  const std::string message = refusal([](Json& json) {
    json["truncation"] = {{"max_length", 4}, {"stride", 9}, {"strategy", "LongestFirst"}};
    json["padding"] = {{"strategy", {{"Fixed", 0}}}, {"pad_id", 2147483647}};
  });
  EXPECT_EQ(message, "accepted");
}

TEST(TokenizerJson, MessagesEscapeWhatTheFileSays) {
  const std::string message =
      refusal([](Json& json) { json["model"]["type"] = "\x1b[31m" + std::string(500, 'x'); });
  EXPECT_THAT(message, HasSubstr("'\\x1b[31mxxx"));
  EXPECT_LT(message.size(), 200U);
}

TEST(TokenizerJson, DecodedTokensCannotGrowWithoutBound) {
  const std::string message = [] {
    Json json = small_tokenizer_json();
    json["decoder"]["decoders"][0]["content"] = std::string(100'000, 'x');
    try {
      static_cast<void>(testing::load(json));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  }();
  EXPECT_NE(message, "accepted");
}

}  // namespace
}  // namespace nolens
