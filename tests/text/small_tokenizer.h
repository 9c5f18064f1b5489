// A tokenizer.json of Gemma's form that a person can check by hand, and a way to load changed ones.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "nolens/tokenizer.h"

#include "text/tokenizer_data.h"
#include "text/tokenizer_json.h"

namespace nolens::testing {

using Json = nlohmann::json;

constexpr TokenId kBos = 2;
constexpr TokenId kUnknown = 3;
constexpr TokenId kTurn = 4;
constexpr TokenId kFirstByte = 5;
constexpr TokenId kFirstChar = kFirstByte + 256;

inline Json added_token(TokenId id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

/// 4 special tokens, "<|turn>", 256 byte tokens, some characters, and words made by merges.
/// "<table>" is an added token that is not special and not in the model's vocabulary.
inline Json small_tokenizer_json() {
  Json vocab = {
      {"<pad>", 0}, {"<eos>", 1}, {"<bos>", kBos}, {"<unk>", kUnknown}, {"<|turn>", kTurn}};
  constexpr char kHex[] = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocab[std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">"] =
        kFirstByte + static_cast<TokenId>(byte);
  }
  TokenId next = kFirstChar;
  for (const char* text : {"▁", "\n", "a", "b",  "c", "d", "e", "h", "l", "o",
                           "r", "w",  "é", "中", "<", ">", "|", "t", "u", "n"}) {
    vocab[text] = next++;
  }
  Json merges = Json::array();
  const std::vector<std::vector<std::string>> pairs = {
      {"\n", "\n"}, {"▁", "▁"},  {"h", "e"},     {"l", "l"}, {"he", "ll"},   {"hell", "o"},
      {"▁", "w"},   {"o", "r"},  {"▁w", "or"},   {"l", "d"}, {"▁wor", "ld"}, {"a", "b"},
      {"b", "c"},   {"ab", "c"}, {"\n\n", "\n"}, {"é", "中"}};
  for (const auto& pair : pairs) {
    if (!vocab.contains(pair[0] + pair[1])) {
      vocab[pair[0] + pair[1]] = next++;
    }
    merges.push_back(pair);
  }
  Json added = Json::array();
  for (const char* text : {"<pad>", "<eos>", "<bos>", "<unk>", "<|turn>"}) {
    added.push_back(added_token(vocab[text], text, true));
  }
  added.push_back(added_token(next, "<table>", false));
  const Json space = {{"String", " "}};
  const Json mark = {{"String", "▁"}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", {{"type", "Replace"}, {"pattern", space}, {"content", "▁"}}},
          {"pre_tokenizer",
           {{"type", "Split"},
            {"pattern", space},
            {"behavior", "MergedWithPrevious"},
            {"invert", false}}},
          {"post_processor", nullptr},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", mark}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}}}}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

inline Tokenizer load(const Json& json) {
  return Tokenizer::from_data(parse_tokenizer_json(json.dump(), "test.json"));
}

inline TokenId byte_id(unsigned char byte) {
  return kFirstByte + byte;
}

}  // namespace nolens::testing
