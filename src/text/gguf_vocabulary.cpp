// Token types become flags; merges are cut at their space, or follow from the scores.
#include "text/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "nolens/error.h"

#include "core/escape.h"
#include "text/merges_from_scores.h"

namespace nolens {
namespace {

/// Values of tokenizer.ggml.token_type.
enum class TokenType : std::int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

constexpr std::string_view kSpace = " ";
constexpr std::string_view kMarkedSpace = "\u2581";  // what the normalizer makes of a space

// Control tokens that converters mark as user-defined, those of Gemma 4 so that programs print
// them. Typed by a user they must stay text.
constexpr std::array<std::string_view, 9> kVisibleMarkers{
    "<start_of_image>", "<end_of_image>",   "<|channel>",       "<channel|>", "<|tool_call>",
    "<tool_call|>",     "<|tool_response>", "<tool_response|>", "<|\"|>"};

class VocabularyReader {
 public:
  explicit VocabularyReader(const GgufFile& file) : file_(file) {}

  TokenizerData read() {
    data_.name = file_.name();
    data_.normalizer.push_back({kSpace, kMarkedSpace});
    data_.decoder.push_back({kMarkedSpace, kSpace});
    data_.decode_bytes = true;
    data_.fuse_unknown = true;
    check_model();
    read_tokens();
    if (file_.find("tokenizer.ggml.merges") != nullptr) {
      read_merges();
    } else {
      read_scores();
    }
    data_.adds_bos = flag("tokenizer.ggml.add_bos_token");
    data_.owner = std::move(spaced_);
    return std::move(data_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kModel, file_.name() + ": " + what);
  }

  [[nodiscard]] bool flag(std::string_view key) const {
    const GgufValue* value = file_.find(key);
    return value != nullptr && value->boolean().value_or(false);
  }

  [[nodiscard]] std::string_view text(std::string_view key) const {
    const GgufValue* value = file_.find(key);
    return value != nullptr ? value->text().value_or(std::string_view{}) : std::string_view{};
  }

  void check_model() const {
    const std::string_view model = text("tokenizer.ggml.model");
    if (model != "gemma4" && model != "llama") {
      fail("tokenizer.ggml.model is '" + escape_for_message(model) +
           "', supported are 'gemma4' and 'llama'");
    }
    if (flag("tokenizer.ggml.add_space_prefix")) {
      fail(
          "tokenizer.ggml.add_space_prefix is true; a tokenizer that puts a space before the text "
          "is not supported");
    }
  }

  /// \return nothing if the key is absent. \throws Error unless it has `count` entries.
  template <typename T>
  std::vector<T> array(std::string_view key,
                       std::optional<std::vector<T>> (GgufValue::*accessor)() const,
                       std::size_t count) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) {
      return {};
    }
    auto entries = (value->*accessor)();
    if (!entries || (count != 0 && entries->size() != count)) {
      fail(std::string(key) + " is a " + value->describe() + ", which does not fit " +
           std::to_string(count) + " tokens");
    }
    return std::move(*entries);
  }

  void read_tokens() {
    const auto texts = array("tokenizer.ggml.tokens", &GgufValue::texts, 0);
    if (texts.empty()) {
      fail("tokenizer.ggml.tokens is missing or empty; the file holds no tokenizer");
    }
    types_ = array("tokenizer.ggml.token_type", &GgufValue::integers, texts.size());
    if (types_.empty()) {
      fail("tokenizer.ggml.token_type is missing");
    }
    data_.tokens.reserve(texts.size());
    for (std::size_t id = 0; id < texts.size(); ++id) {
      add_token(texts[id], id);
    }
    if (const GgufValue* unknown = file_.find("tokenizer.ggml.unknown_token_id")) {
      const auto id = unknown->integer();
      if (!id || *id < 0 || *id >= static_cast<std::int64_t>(texts.size())) {
        fail("tokenizer.ggml.unknown_token_id must be an id from 0 to " +
             std::to_string(texts.size() - 1));
      }
      data_.unknown = static_cast<TokenId>(*id);
    }
  }

  void add_token(std::string_view token_text, std::size_t id) {
    if (types_[id] < 1 || types_[id] > 6) {
      fail("token " + std::to_string(id) + " has the type " + std::to_string(types_[id]) +
           ", expected 1 to 6");
    }
    TokenizerData::Token token{token_text, false, true};
    const auto type = static_cast<TokenType>(types_[id]);
    const bool is_user_defined = type == TokenType::kUserDefined;
    const bool is_marker =
        is_user_defined && std::find(kVisibleMarkers.begin(), kVisibleMarkers.end(), token_text) !=
                               kVisibleMarkers.end();
    token.special = type == TokenType::kControl || type == TokenType::kUnknown || is_marker;
    if (token.special || is_user_defined) {
      data_.added_tokens.push_back({static_cast<TokenId>(id), false, false, false});
    }
    if (is_user_defined && token_text.find(kSpace) != std::string_view::npos) {
      token.text = with_marked_spaces(token_text);
    }
    data_.byte_fallback = data_.byte_fallback || type == TokenType::kByte;
    data_.tokens.push_back(token);
  }

  /// Some converters write user-defined tokens with plain spaces.
  std::string_view with_marked_spaces(std::string_view token_text) {
    std::string marked;
    for (const char c : token_text) {
      marked += c == ' ' ? kMarkedSpace : std::string_view(&c, 1);
    }
    spaced_->push_back(std::make_unique<const std::string>(std::move(marked)));
    return *spaced_->back();
  }

  void read_merges() {
    const auto merges = array("tokenizer.ggml.merges", &GgufValue::texts, 0);
    data_.merges.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
      // A space at the very beginning belongs to the left part.
      const std::size_t space = merges[i].find(' ', 1);
      if (space == std::string_view::npos || space + 1 == merges[i].size()) {
        fail("tokenizer.ggml.merges: entry " + std::to_string(i) + " is '" +
             escape_for_message(merges[i]) + "', expected two parts with a space between");
      }
      data_.merges.emplace_back(merges[i].substr(0, space), merges[i].substr(space + 1));
    }
  }

  void read_scores() {
    const auto scores = array("tokenizer.ggml.scores", &GgufValue::reals, data_.tokens.size());
    if (scores.empty()) {
      fail("has neither tokenizer.ggml.merges nor tokenizer.ggml.scores");
    }
    std::vector<ScoredToken> scored(scores.size());
    for (std::size_t id = 0; id < scores.size(); ++id) {
      const bool is_normal = static_cast<TokenType>(types_[id]) == TokenType::kNormal;
      scored[id] = {data_.tokens[id].text, is_normal ? scores[id] : 0.0F};
    }
    data_.merges = merges_from_scores(scored, data_.name);
  }

  using OwnedTexts = std::vector<std::unique_ptr<const std::string>>;

  const GgufFile& file_;
  TokenizerData data_;
  std::vector<std::int64_t> types_;
  std::shared_ptr<OwnedTexts> spaced_ = std::make_shared<OwnedTexts>();
};

}  // namespace

TokenizerData gguf_vocabulary(const GgufFile& file) {
  return VocabularyReader(file).read();
}

}  // namespace nolens
