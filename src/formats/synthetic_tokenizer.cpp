// Layout of the published tokenizer (docs/model.md, "Tokens"), without its words.
#include "formats/synthetic_tokenizer.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "formats/json.h"

namespace nolens {
namespace {

constexpr TokenId kFirstByte = 238;
constexpr TokenId kNewline = 107;
constexpr TokenId kFirstCharacter = 494;
constexpr const char* kSpace = "\u2581";  // what the normaliser makes of a space

/// id -> content of the tokens that text never yields.
std::map<TokenId, std::string> special_tokens(const SpecialTokens& tokens) {
  const std::vector<std::pair<TokenId, const char*>> list{
      {tokens.pad, "<pad>"},
      {*std::min_element(tokens.eos.begin(), tokens.eos.end()), "<eos>"},
      {tokens.bos, "<bos>"},
      {3, "<unk>"},
      {4, "<mask>"},
      {46, "<|tool>"},
      {47, "<tool|>"},
      {48, "<|tool_call>"},
      {49, "<tool_call|>"},
      {50, "<|tool_response>"},
      {51, "<tool_response|>"},
      {52, "<|\"|>"},
      {98, "<|think|>"},
      {100, "<|channel>"},
      {101, "<channel|>"},
      {105, "<|turn>"},
      {106, "<turn|>"},
      {tokens.boi, "<|image>"},
      {tokens.image, "<|image|>"},
      {tokens.eoi, "<image|>"},
      {tokens.boa, "<|audio>"},
      {tokens.audio, "<|audio|>"},
      {tokens.eoa, "<audio|>"},
      {tokens.video, "<|video|>"},
  };
  std::map<TokenId, std::string> specials;
  for (const auto& [id, content] : list) {
    if (id >= 0 && !specials.emplace(id, content).second) {
      throw Error(ErrorCode::kUsage, "token id " + std::to_string(id) + " is given to both " +
                                         specials.at(id) + " and " + content +
                                         "; a synthetic tokenizer needs one id for each");
    }
  }
  return specials;
}

/// Names of the ordinary tokens that have one; the others are <unusedN>.
std::map<TokenId, std::string> ordinary_tokens() {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::map<TokenId, std::string> ordinary{{kNewline, "\n"}, {kFirstCharacter, kSpace}};
  for (int byte = 0; byte < 256; ++byte) {
    ordinary.emplace(kFirstByte + byte,
                     std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
  }
  for (char c = 0x21; c < 0x7F; ++c) {
    ordinary.emplace(kFirstCharacter + 1 + (c - 0x21), std::string(1, c));
  }
  return ordinary;
}

}  // namespace

std::string synthetic_tokenizer_json(const SpecialTokens& tokens, std::int64_t vocab_size) {
  const auto specials = special_tokens(tokens);
  auto names = ordinary_tokens();
  Json added = Json::array();
  for (const auto& [id, content] : specials) {
    names[id] = content;
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const Json frame = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}}},
      {"pre_tokenizer",
       {{"type", "Split"},
        {"pattern", {{"String", " "}}},
        {"behavior", "MergedWithPrevious"},
        {"invert", false}}},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders",
         {{{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}},
          {{"type", "ByteFallback"}},
          {{"type", "Fuse"}}}}}},
  };
  // The vocabulary is written by hand: as a tree it would take fifty times its size.
  std::string text = frame.dump();
  text.pop_back();
  text += ",\n\"added_tokens\":" + added.dump() +
          ",\n\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"<unk>\","
          "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":true,"
          "\"byte_fallback\":true,\"ignore_merges\":false,\"vocab\":{";
  for (std::int64_t id = 0; id < vocab_size; ++id) {
    const auto name = names.find(static_cast<TokenId>(id));
    text += id == 0 ? "\n" : ",\n";
    text += Json(name != names.end() ? name->second : "<unused" + std::to_string(id) + ">").dump();
    text += ":" + std::to_string(id);
  }
  text += "},\n\"merges\":[]}}\n";
  return text;
}

std::vector<SyntheticToken> synthetic_tokens(const SpecialTokens& tokens, std::int64_t vocab_size) {
  std::vector<SyntheticToken> list(static_cast<std::size_t>(vocab_size));
  for (std::size_t id = 0; id < list.size(); ++id) {
    list[id].text = "<unused" + std::to_string(id) + ">";
  }
  const auto put = [&](TokenId id, const std::string& text, SyntheticToken::Kind kind) {
    if (id < vocab_size) {
      list[static_cast<std::size_t>(id)] = {text, kind};
    }
  };
  for (const auto& [id, text] : ordinary_tokens()) {
    const bool is_byte = id >= kFirstByte && id < kFirstByte + 256;
    put(id, text, is_byte ? SyntheticToken::Kind::kByte : SyntheticToken::Kind::kText);
  }
  for (const auto& [id, text] : special_tokens(tokens)) {
    put(id, text, SyntheticToken::Kind::kControl);
  }
  return list;
}

std::string synthetic_tokenizer_config_json() {
  const Json config = {
      {"tokenizer_class", "GemmaTokenizer"},
      {"add_bos_token", false},
      {"bos_token", "<bos>"},
      {"eos_token", "<eos>"},
      {"pad_token", "<pad>"},
      {"unk_token", "<unk>"},
      {"mask_token", "<mask>"},
      {"padding_side", "left"},
      {"clean_up_tokenization_spaces", false},
      {"model_specific_special_tokens",
       {{"image_token", "<|image|>"},
        {"boi_token", "<|image>"},
        {"eoi_token", "<image|>"},
        {"audio_token", "<|audio|>"},
        {"boa_token", "<|audio>"},
        {"eoa_token", "<audio|>"}}},
  };
  return config.dump(2) + "\n";
}

}  // namespace nolens
