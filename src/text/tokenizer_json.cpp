// One function per stage of the file, each refusing what it does not know.
#include "text/tokenizer_json.h"

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <simdjson.h>

#include "nolens/error.h"

#include "text/tokenizer_fields.h"

namespace nolens {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kMaxFileBytes = 256U << 20U;

struct Entry {
  std::string_view text;
  std::int64_t id = 0;
  bool in_model = true;
};

/// The vocabulary as it stands in the file, before its ids are known to be good.
std::vector<Entry> read_vocabulary(const TokenizerFields& model) {
  std::vector<Entry> entries;
  for (const auto& [text, value] : model.get_object("vocab")) {
    std::int64_t id = -1;
    if (value.get(id) != simdjson::SUCCESS || id < 0 || id >= kMaxTokens) {
      model.fail("vocab", "token " + quoted(text) + " needs an id from 0 to " +
                              std::to_string(kMaxTokens - 1) + ", found " + describe(value));
    }
    entries.push_back({text, id, true});
  }
  if (entries.empty()) {
    model.fail("vocab", "has no tokens");
  }
  return entries;
}

/// Puts every text at its id. Ids without gaps and repetitions need exactly as many places as there
/// are texts, so the table is sized by the file's contents and never by a number in it.
void place(const std::vector<Entry>& entries, const TokenizerFields& root, TokenizerData& data) {
  data.tokens.resize(entries.size());
  for (const Entry& entry : entries) {
    if (entry.id >= static_cast<std::int64_t>(entries.size())) {
      root.fail("model.vocab", "token " + quoted(entry.text) + " has id " +
                                   std::to_string(entry.id) + ", but with " +
                                   std::to_string(entries.size()) +
                                   " tokens, added ones included, ids are expected to be 0 to " +
                                   std::to_string(entries.size() - 1));
    }
    TokenizerData::Token& token = data.tokens[static_cast<std::size_t>(entry.id)];
    if (!token.text.empty()) {
      root.fail("model.vocab", "tokens " + quoted(token.text) + " and " + quoted(entry.text) +
                                   " have the same id " + std::to_string(entry.id));
    }
    if (entry.text.empty()) {
      root.fail("model.vocab", "token " + std::to_string(entry.id) + " is empty");
    }
    token = {entry.text, false, entry.in_model};
  }
}

void read_tokens(const TokenizerFields& root, const TokenizerFields& model, TokenizerData& data) {
  std::vector<Entry> entries = read_vocabulary(model);
  const std::size_t model_count = entries.size();
  struct Added {
    Entry entry;
    TokenizerData::AddedToken token;
    bool special = false;
  };
  std::vector<Added> added;
  if (const auto list = root.find_array("added_tokens")) {
    std::size_t index = 0;
    for (const element item : *list) {
      const TokenizerFields fields =
          root.child("added_tokens[" + std::to_string(index) + "]", item);
      if (static_cast<std::int64_t>(index++) >= kMaxAddedTokens) {
        root.fail("added_tokens", "has more than " + std::to_string(kMaxAddedTokens) + " entries");
      }
      const std::string_view text = fields.get_string("content");
      const std::int64_t id = fields.get_int("id", 0, kMaxTokens - 1);
      if (text.empty()) {
        fields.fail("content", "is empty");
      }
      if (fields.find_bool("single_word", false)) {
        fields.fail("single_word", "is true; only false is supported");
      }
      added.push_back({{text, id, false},
                       {static_cast<TokenId>(id), fields.find_bool("normalized", true),
                        fields.find_bool("lstrip", false), fields.find_bool("rstrip", false)},
                       fields.find_bool("special", false)});
    }
  }
  // Most added tokens repeat an entry of the vocabulary; the others extend it. An id below
  // model_count that is free in the vocabulary cannot be told apart yet: place() finds collisions.
  std::vector<std::string_view> text_of(model_count);
  for (const Entry& entry : entries) {
    if (entry.id < static_cast<std::int64_t>(model_count)) {
      text_of[static_cast<std::size_t>(entry.id)] = entry.text;
    }
  }
  for (const Added& item : added) {
    const auto id = static_cast<std::size_t>(item.entry.id);
    if (id >= model_count || text_of[id] != item.entry.text) {
      entries.push_back(item.entry);
    }
  }
  place(entries, root, data);
  for (const Added& item : added) {
    data.added_tokens.push_back(item.token);
    data.tokens[static_cast<std::size_t>(item.entry.id)].special |= item.special;
  }
}

std::pair<std::string_view, std::string_view> read_merge(const TokenizerFields& model, element item,
                                                         std::size_t index) {
  std::string_view text;
  if (item.get(text) == simdjson::SUCCESS) {
    const std::size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos &&
        space > 0 && space + 1 < text.size()) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  array parts;
  std::string_view left;
  std::string_view right;
  if (item.get(parts) == simdjson::SUCCESS && parts.size() == 2 &&
      parts.at(0).get(left) == simdjson::SUCCESS && parts.at(1).get(right) == simdjson::SUCCESS &&
      !left.empty() && !right.empty()) {
    return {left, right};
  }
  model.fail("merges[" + std::to_string(index) + "]",
             "expected \"left right\" or [\"left\", \"right\"], found " + describe(item));
}

void read_model(const TokenizerFields& root, const TokenizerFields& model, TokenizerData& data) {
  if (const auto type = model.find_string("type"); type && *type != "BPE") {
    model.fail("type", "is " + quoted(*type) + "; only BPE is supported");
  }
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto text = model.find_string(key); text && !text->empty()) {
      model.fail(key, "is " + quoted(*text) + "; only null is supported");
    }
  }
  if (model.find_number("dropout", 0) != 0) {
    model.fail("dropout", "is not 0; only null and 0 are supported");
  }
  data.byte_fallback = model.find_bool("byte_fallback", false);
  data.fuse_unknown = model.find_bool("fuse_unk", false);
  data.ignore_merges = model.find_bool("ignore_merges", false);
  read_tokens(root, model, data);
  if (const auto unknown = model.find_string("unk_token")) {
    for (std::size_t id = 0; id < data.tokens.size() && data.unknown < 0; ++id) {
      data.unknown = data.tokens[id].text == *unknown ? static_cast<TokenId>(id) : -1;
    }
    if (data.unknown < 0) {
      model.fail("unk_token", quoted(*unknown) + " is not in the vocabulary");
    }
  }
  std::size_t index = 0;
  for (const element item : model.get_array("merges")) {
    if (static_cast<std::int64_t>(index) >= kMaxMerges) {
      model.fail("merges", "has more than " + std::to_string(kMaxMerges) + " entries");
    }
    data.merges.push_back(read_merge(model, item, index++));
  }
}

TokenizerData::Replacement read_replace(const TokenizerFields& rule) {
  const TokenizerFields pattern = rule.get_child("pattern");
  const auto from = pattern.find_string("String");
  if (!from || from->empty()) {
    rule.fail("pattern", "only {\"String\": \"…\"} with some text is supported");
  }
  return {*from, rule.get_string("content")};
}

/// The steps of a Sequence, or the one step itself.
std::vector<TokenizerFields> steps_of(const TokenizerFields& stage, std::string_view list) {
  std::vector<TokenizerFields> steps;
  if (stage.get_string("type") != "Sequence") {
    steps.push_back(stage);
    return steps;
  }
  std::size_t index = 0;
  for (const element item : stage.get_array(list)) {
    steps.push_back(stage.child(std::string(list) + "[" + std::to_string(index++) + "]", item));
  }
  return steps;
}

void read_normalizer(const TokenizerFields& root, TokenizerData& data) {
  const auto stage = root.find_child("normalizer");
  if (!stage) {
    return;
  }
  for (const TokenizerFields& step : steps_of(*stage, "normalizers")) {
    const std::string_view type = step.get_string("type");
    if (type != "Replace") {
      step.fail("type", "is " + quoted(type) +
                            "; supported normalizers are null, Replace and a Sequence of these");
    }
    data.normalizer.push_back(read_replace(step));
  }
}

void read_pre_tokenizer(const TokenizerFields& root, TokenizerData& data) {
  const auto stage = root.find_child("pre_tokenizer");
  if (!stage) {
    return;
  }
  constexpr std::string_view kSupported =
      "; supported are null and Split with pattern {\"String\": \" \"}, behavior "
      "MergedWithPrevious and invert false";
  const std::string_view type = stage->get_string("type");
  if (type != "Split") {
    stage->fail("type", "is " + quoted(type) + std::string(kSupported));
  }
  const TokenizerFields pattern = stage->get_child("pattern");
  if (pattern.find_string("String") != " " ||
      stage->get_string("behavior") != "MergedWithPrevious" || stage->find_bool("invert", false)) {
    stage->fail("pattern", "is another kind of Split" + std::string(kSupported));
  }
  data.split_after_space = true;
}

void read_decoder(const TokenizerFields& root, TokenizerData& data) {
  constexpr std::string_view kSupported =
      "; supported is a Sequence of Replace, then ByteFallback, then Fuse";
  const auto stage = root.find_child("decoder");
  if (!stage) {
    root.fail("decoder", "is missing" + std::string(kSupported));
  }
  bool fused = false;
  for (const TokenizerFields& step : steps_of(*stage, "decoders")) {
    const std::string_view type = step.get_string("type");
    if (type == "Replace" && !data.decode_bytes && !fused) {
      data.decoder.push_back(read_replace(step));
    } else if (type == "ByteFallback" && !data.decode_bytes && !fused) {
      data.decode_bytes = true;
    } else if (type == "Fuse" && !fused) {
      fused = true;
    } else {
      step.fail("type", quoted(type) + " cannot stand here" + std::string(kSupported));
    }
  }
}

void read_post_processor(const TokenizerFields& root, TokenizerData& data) {
  const auto stage = root.find_child("post_processor");
  if (!stage) {
    return;
  }
  const std::string_view type = stage->get_string("type");
  if (type != "TemplateProcessing") {
    stage->fail("type", "is " + quoted(type) + "; supported are null and TemplateProcessing");
  }
  const auto known = stage->find_child("special_tokens");
  std::size_t index = 0;
  for (const element item : stage->get_array("single")) {
    const TokenizerFields piece = stage->child("single[" + std::to_string(index) + "]", item);
    if (const auto special = piece.find_child("SpecialToken")) {
      const std::string_view id = special->get_string("id");
      if (!known || !known->find_child(id)) {
        special->fail("id", quoted(id) + " is not in post_processor.special_tokens");
      }
      data.adds_bos = data.adds_bos || index == 0;
    }
    ++index;
  }
}

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view json, const std::string& name) {
  if (json.size() > kMaxFileBytes) {
    throw Error(ErrorCode::kModel, name + ": expected at most " + std::to_string(kMaxFileBytes) +
                                       " bytes, found " + std::to_string(json.size()));
  }
  if (json.empty()) {  // simdjson would hand a null pointer to memcpy
    throw Error(ErrorCode::kModel, name + ": the file is empty; download it again");
  }
  TokenizerData data;
  data.name = name;
  const auto parser = std::make_shared<simdjson::dom::parser>();
  element document;
  if (const auto error = parser->parse(json.data(), json.size()).get(document)) {
    if (error == simdjson::MEMALLOC) {
      throw std::bad_alloc();  // the file is not to blame
    }
    throw Error(ErrorCode::kModel,
                name + ": not valid JSON: " + std::string(simdjson::error_message(error)));
  }
  data.owner = parser;
  const TokenizerFields root(name, "", document);
  read_normalizer(root, data);
  read_pre_tokenizer(root, data);
  read_decoder(root, data);
  read_post_processor(root, data);
  read_model(root, root.get_child("model"), data);
  return data;
}

}  // namespace nolens
