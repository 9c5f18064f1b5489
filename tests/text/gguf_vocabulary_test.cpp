// A vocabulary encodes alike whether it comes from a tokenizer.json or from a GGUF file made of it.
#include "text/gguf_vocabulary.h"

#include <cstdlib>
#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/tokenizer.h"

#include "formats/gguf_bytes.h"
#include "formats/temporary_folder.h"
#include "text/tokenizer_json.h"

namespace nolens {
namespace {

using namespace testing;  // NOLINT: the builders of gguf_bytes.h
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6;

/// What a converter makes of a tokenizer.json. The seven markers that programs print are
/// user-defined, as in published Gemma 4 files.
GgufBytes converted(const TokenizerData& data) {
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
  for (const TokenizerData::Token& token : data.tokens) {
    texts.emplace_back(token.text);
    const bool is_byte = token.text.size() == 6 && token.text.starts_with("<0x");
    types.push_back(is_byte ? kByte : token.special ? kControl : kNormal);
  }
  for (const TokenizerData::AddedToken& added : data.added_tokens) {
    const auto id = static_cast<std::size_t>(added.id);
    const bool is_marker = texts[id].find("tool_") != std::string::npos ||
                           texts[id].find("channel") != std::string::npos || texts[id] == "<|\"|>";
    if (is_marker || !data.tokens[id].special) {
      types[id] = kUserDefined;
    }
  }
  std::vector<std::string> merges;
  for (const auto& [left, right] : data.merges) {
    merges.push_back(std::string(left) + " " + std::string(right));
  }
  GgufBytes file;
  file.keys["tokenizer.ggml.model"] = value_text("gemma4");
  file.keys["tokenizer.ggml.tokens"] = value_texts(texts);
  file.keys["tokenizer.ggml.token_type"] = value_numbers(GgufType::kI32, types);
  file.keys["tokenizer.ggml.merges"] = value_texts(merges);
  file.keys["tokenizer.ggml.unknown_token_id"] =
      value_u32(static_cast<std::uint32_t>(data.unknown));
  file.keys["tokenizer.ggml.add_bos_token"] = value_bool(1);
  return file;
}

/// "<pad> <unk> <start> a b ab <tool> <0x00>", one merge.
GgufBytes small_vocabulary() {
  GgufBytes file;
  file.keys["tokenizer.ggml.model"] = value_text("llama");
  file.keys["tokenizer.ggml.pre"] = value_text("gemma4");
  file.keys["tokenizer.ggml.tokens"] = value_texts(
      {"<pad>", "<unk>", "<start>", "a", "b", "ab", "<table>", "<|tool_call>", "\u2581", "   "});
  file.keys["tokenizer.ggml.token_type"] = value_numbers<std::int32_t>(
      GgufType::kI32, {kControl, kUnknown, kControl, kNormal, kNormal, kNormal, kUserDefined,
                       kUserDefined, kNormal, kUserDefined});
  file.keys["tokenizer.ggml.merges"] = value_texts({"a b"});
  file.keys["tokenizer.ggml.unknown_token_id"] = value_u32(1);
  return file;
}

Tokenizer load(const GgufBytes& bytes) {
  const std::string file = bytes.str();
  return Tokenizer::from_data(gguf_vocabulary(GgufFile::parse(byte_span(file), "v.gguf")));
}

std::string refusal(const std::string& key, const std::string& value) {
  GgufBytes bytes = small_vocabulary();
  if (value.empty()) {
    bytes.keys.erase(key);
  } else {
    bytes.keys[key] = value;
  }
  return model_error_of([&] { static_cast<void>(load(bytes)); });
}

/// Texts of words, controls, spaces, line breaks and bytes that are no UTF-8.
std::vector<std::string> sample_texts(const TokenizerData& data) {
  std::vector<std::string> texts{"",
                                 "hi",
                                 "  two  spaces ",
                                 "<bos><|turn>user\nhi<turn|>",
                                 "\n\n\n a",
                                 "caf\u00E9 \u4F60\u597D",
                                 "\xFF\xC3(",
                                 "<|tool_call>call"};
  std::mt19937 random(11);
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (int k = 0; k < 12; ++k) {
      switch (random() % 4) {
        case 0: text += data.tokens[random() % data.tokens.size()].text; break;
        case 1: text += static_cast<char>(random()); break;
        case 2: text += std::string(random() % 5, ' '); break;
        default: text += static_cast<char>('a' + random() % 26); break;
      }
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

void expect_equal(const Tokenizer& expected, const Tokenizer& tokenizer,
                  const std::vector<std::string>& texts) {
  ASSERT_EQ(expected.size(), tokenizer.size());
  for (TokenId id = 0; id < expected.size(); ++id) {
    ASSERT_EQ(expected.is_special(id), tokenizer.is_special(id)) << id;
    ASSERT_EQ(expected.piece(id), tokenizer.piece(id)) << id;
  }
  for (const std::string& text : texts) {
    for (const ParseSpecial parse : {ParseSpecial::kNo, ParseSpecial::kYes}) {
      const auto ids = expected.encode(text, parse);
      ASSERT_EQ(ids, tokenizer.encode(text, parse)) << text;
      ASSERT_EQ(expected.decode(ids), tokenizer.decode(ids)) << text;
    }
  }
}

TEST(GgufVocabulary, EncodesAsTheTokenizerItWasMadeFrom) {
  const std::filesystem::path path =
      std::filesystem::path(NOLENS_SOURCE_DIR) / "models" / "nolens-tiny" / "tokenizer.json";
  std::ifstream in(path, std::ios::binary);
  const std::string json((std::istreambuf_iterator<char>(in)), {});
  const TokenizerData data = parse_tokenizer_json(json, "tokenizer.json");
  expect_equal(Tokenizer::from_data(data), load(converted(data)), sample_texts(data));
}

TEST(GgufVocabulary, EncodesAsTheRealTokenizer) {
  const char* path = std::getenv("NOLENS_GEMMA_TOKENIZER");
  if (path == nullptr) {
    GTEST_SKIP() << "set NOLENS_GEMMA_TOKENIZER to a tokenizer.json of Gemma 3 or 4 to run this";
  }
  std::ifstream in(path, std::ios::binary);
  const std::string json((std::istreambuf_iterator<char>(in)), {});
  const TokenizerData data = parse_tokenizer_json(json, "tokenizer.json");
  const std::string bytes = converted(data).str();
  const GgufFile file = GgufFile::parse(byte_span(bytes), "v.gguf");
  const TokenizerData read = gguf_vocabulary(file);
  expect_equal(Tokenizer::from_data(data), Tokenizer::from_data(read), sample_texts(data));
}

TEST(GgufVocabulary, BothSpellingsOfGemma4AreRead) {
  GgufBytes bytes = small_vocabulary();
  const Tokenizer ollama = load(bytes);
  EXPECT_EQ(ollama.encode("abba"), (std::vector<TokenId>{5, 4, 3}));
  bytes.keys.erase("tokenizer.ggml.pre");
  bytes.keys["tokenizer.ggml.model"] = value_text("gemma4");
  EXPECT_EQ(load(bytes).encode("abba"), ollama.encode("abba"));
}

TEST(GgufVocabulary, TypesDecideWhatAUserCanType) {
  const Tokenizer tokenizer = load(small_vocabulary());
  EXPECT_TRUE(tokenizer.is_special(tokenizer.find("<start>")));
  EXPECT_TRUE(tokenizer.is_special(tokenizer.find("<|tool_call>"))) << "a marker, although printed";
  EXPECT_FALSE(tokenizer.is_special(tokenizer.find("<table>")));
  EXPECT_EQ(tokenizer.encode("<table>"), (std::vector<TokenId>{6})) << "user-defined";
  EXPECT_EQ(tokenizer.encode("<|tool_call>", ParseSpecial::kYes), (std::vector<TokenId>{7}));
  for (const TokenId id : tokenizer.encode("<|tool_call><start>")) {
    EXPECT_NE(id, 7);
    EXPECT_NE(id, 2);
  }
  EXPECT_EQ(tokenizer.find("\u2581\u2581\u2581"), 9) << "written with plain spaces";
}

TEST(GgufVocabulary, ScoresReplaceMergesInGemma3Files) {
  GgufBytes bytes = small_vocabulary();
  bytes.keys.erase("tokenizer.ggml.merges");
  bytes.keys["tokenizer.ggml.scores"] =
      value_numbers<float>(GgufType::kF32, {0, 0, 0, -1, -2, -3, -1000, -1000, -4, -1000});
  EXPECT_EQ(load(bytes).encode("abba"), (std::vector<TokenId>{5, 4, 3}));
}

TEST(GgufVocabulary, AMergeIsCutAtTheFirstSpaceAfterItsBeginning) {
  GgufBytes bytes = small_vocabulary();
  bytes.keys["tokenizer.ggml.tokens"] = value_texts(
      {"<pad>", "<unk>", "<start>", "a", " ", " a", "<table>", "<|tool_call>", "\u2581", "   "});
  bytes.keys["tokenizer.ggml.merges"] = value_texts({"  a"});
  const std::string file = bytes.str();
  const TokenizerData data = gguf_vocabulary(GgufFile::parse(byte_span(file), "v.gguf"));
  EXPECT_EQ(data.merges.at(0).first, " ");
  EXPECT_EQ(data.merges.at(0).second, "a");
}

TEST(GgufVocabulary, WhatDoesNotFitIsNamed) {
  const std::string p = "tokenizer.ggml.";
  EXPECT_THAT(refusal(p + "model", value_text("gpt2")),
              AllOf(HasSubstr("gpt2"), HasSubstr("gemma4")));
  EXPECT_THAT(refusal(p + "model", ""), HasSubstr("tokenizer.ggml.model"));
  EXPECT_THAT(refusal(p + "tokens", ""), HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_THAT(refusal(p + "tokens", value_u32(1)), HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_THAT(refusal(p + "token_type", ""), HasSubstr("token_type"));
  EXPECT_THAT(refusal(p + "token_type", value_numbers<std::int32_t>(GgufType::kI32, {1, 1})),
              HasSubstr("token_type"));
  EXPECT_THAT(refusal(p + "token_type",
                      value_numbers<std::int32_t>(GgufType::kI32, {1, 1, 1, 1, 1, 1, 1, 1, 1, 7})),
              HasSubstr("the type 7"));
  EXPECT_THAT(refusal(p + "merges", value_texts({"ab"})), HasSubstr("entry 0"));
  EXPECT_THAT(refusal(p + "merges", value_texts({"a "})), HasSubstr("entry 0"));
  EXPECT_THAT(refusal(p + "merges", value_texts({""})), HasSubstr("entry 0"));
  EXPECT_THAT(refusal(p + "merges", value_texts({"a x"})), HasSubstr("'x'"));
  EXPECT_THAT(refusal(p + "merges", ""), HasSubstr("scores"));
  EXPECT_THAT(refusal(p + "unknown_token_id", value_u32(10)), HasSubstr("unknown_token_id"));
  EXPECT_THAT(refusal(p + "add_space_prefix", value_bool(1)), HasSubstr("add_space_prefix"));
  EXPECT_THAT(refusal(p + "tokens",
                      value_texts({"<pad>", "<unk>", "<s>", "a", "b", "ab", "a", "c", "d", "e"})),
              HasSubstr("is also token"));
}

}  // namespace
}  // namespace nolens
