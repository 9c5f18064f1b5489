// The public Tokenizer: added tokens, then normalizer, then byte-pair encoding; and back.
#include "nolens/tokenizer.h"

#include <new>
#include <utility>

#include "nolens/error.h"

#include "platform/mapped_file.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/replace.h"
#include "text/token_texts.h"
#include "text/tokenizer_data.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace nolens {
namespace {

// Far above any context length. The working memory of one call is at most about 40 bytes per byte.
constexpr std::size_t kMaxTextBytes = 256U << 20U;

/// The added tokens looked for before (`normalized` false) or after the normalizer.
AddedTokens added_tokens(const TokenizerData& data, const Replacements& normalizer,
                         bool normalized) {
  std::vector<AddedTokens::Pattern> patterns;
  std::string buffer;
  for (const TokenizerData::AddedToken& added : data.added_tokens) {
    if (added.normalized != normalized) {
      continue;
    }
    const TokenizerData::Token& token = data.tokens[static_cast<std::size_t>(added.id)];
    std::string_view text = token.text;
    if (normalized) {
      text = normalizer.apply(text, kMaxAddedTokenBytes, buffer);
    }
    if (!text.empty()) {
      patterns.push_back(
          {std::string(text), added.id, token.special, added.strip_left, added.strip_right});
    }
  }
  return AddedTokens(std::move(patterns));
}

const TokenizerData& checked(const TokenizerData& data) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::kModel, data.name + ": " + what);
  };
  const auto count = static_cast<std::int64_t>(data.tokens.size());
  if (static_cast<std::int64_t>(data.added_tokens.size()) > kMaxAddedTokens) {
    fail("expected at most " + std::to_string(kMaxAddedTokens) + " added tokens, found " +
         std::to_string(data.added_tokens.size()));
  }
  for (const TokenizerData::AddedToken& added : data.added_tokens) {
    if (added.id < 0 || added.id >= count) {
      fail("added token with id " + std::to_string(added.id) + "; expected 0 to " +
           std::to_string(count - 1));
    }
    if (data.tokens[static_cast<std::size_t>(added.id)].text.size() > kMaxAddedTokenBytes) {
      fail("added token " + std::to_string(added.id) + " is longer than " +
           std::to_string(kMaxAddedTokenBytes) + " bytes");
    }
  }
  if (data.unknown < -1 || data.unknown >= count) {
    fail("unknown token with id " + std::to_string(data.unknown) + "; expected 0 to " +
         std::to_string(count - 1) + ", or -1 for none");
  }
  return data;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(const TokenizerData& data)
      : vocabulary(checked(data)),
        bpe(data, vocabulary),
        texts(data),
        normalizer(data.normalizer, data.name),
        added_before(added_tokens(data, normalizer, false)),
        added_after(added_tokens(data, normalizer, true)),
        split_after_space(data.split_after_space) {}

  /// Text between added tokens that the normalizer has not seen yet.
  void encode_raw(std::string_view text, ParseSpecial parse_special, std::vector<TokenId>& ids,
                  BpeScratch& scratch) const {
    std::string buffer;
    const std::string_view normalized = normalizer.apply(text, kMaxTextBytes, buffer);
    split(added_after, normalized, parse_special, ids,
          [&](std::string_view plain) { encode_plain(plain, ids, scratch); });
  }

  void encode_plain(std::string_view text, std::vector<TokenId>& ids, BpeScratch& scratch) const {
    if (split_after_space) {
      for (std::size_t space = text.find(' '); space != std::string_view::npos;
           space = text.find(' ')) {
        bpe.encode(text.substr(0, space + 1), ids, scratch);
        text.remove_prefix(space + 1);
      }
    }
    bpe.encode(text, ids, scratch);
  }

  /// Appends the added tokens of `text` and hands everything between them to `on_text`.
  template <typename OnText>
  static void split(const AddedTokens& added, std::string_view text, ParseSpecial parse_special,
                    std::vector<TokenId>& ids, const OnText& on_text) {
    std::size_t begin = 0;
    if (!added.empty()) {
      while (const auto match = added.find(text, begin, parse_special)) {
        if (match->begin > begin) {
          on_text(text.substr(begin, match->begin - begin));
        }
        ids.push_back(match->id);
        begin = match->end;
      }
    }
    if (begin < text.size()) {
      on_text(text.substr(begin));
    }
  }

  Vocabulary vocabulary;
  Bpe bpe;
  TokenTexts texts;
  Replacements normalizer;
  AddedTokens added_before;
  AddedTokens added_after;
  bool split_after_space;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const std::filesystem::path& file) {
  const MappedFile mapped(file, ErrorCode::kModel);
  const auto bytes = mapped.bytes();
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return from_data(parse_tokenizer_json(json, file.string()));
}

Tokenizer Tokenizer::from_data(const TokenizerData& data) {
  try {
    return Tokenizer(std::make_unique<Impl>(data));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResource, data.name + ": not enough memory for the tokenizer");
  }
}

void Tokenizer::encode(std::string_view text, ParseSpecial parse_special,
                       std::vector<TokenId>& ids) const {
  if (text.size() > kMaxTextBytes) {
    throw Error(ErrorCode::kInput, "text to tokenize: expected at most " +
                                       std::to_string(kMaxTextBytes) + " bytes, found " +
                                       std::to_string(text.size()));
  }
  const std::size_t size_before = ids.size();
  try {
    BpeScratch scratch;
    Impl::split(impl_->added_before, text, parse_special, ids,
                [&](std::string_view raw) { impl_->encode_raw(raw, parse_special, ids, scratch); });
  } catch (const std::bad_alloc&) {
    ids.resize(size_before);
    throw Error(ErrorCode::kResource,
                "not enough memory to tokenize " + std::to_string(text.size()) + " bytes of text");
  } catch (const Error&) {
    ids.resize(size_before);
    throw;
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, ParseSpecial parse_special) const {
  std::vector<TokenId> ids;
  encode(text, parse_special, ids);
  return ids;
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool skip_special) const {
  std::string text;
  std::string byte_run;
  for (const TokenId id : ids) {
    if (!impl_->vocabulary.contains(id) || (skip_special && impl_->vocabulary.is_special(id))) {
      continue;
    }
    if (impl_->texts.is_byte(id)) {
      byte_run += impl_->texts.text(id);
      continue;
    }
    append_byte_run(byte_run, text);
    byte_run.clear();
    text += impl_->texts.text(id);
  }
  append_byte_run(byte_run, text);
  return text;
}

std::string_view Tokenizer::piece(TokenId id) const noexcept {
  return impl_->vocabulary.contains(id) ? impl_->texts.text(id) : std::string_view();
}

TokenId Tokenizer::find(std::string_view token) const noexcept {
  return impl_->vocabulary.find(token);
}

bool Tokenizer::is_special(TokenId id) const noexcept {
  return impl_->vocabulary.contains(id) && impl_->vocabulary.is_special(id);
}

bool Tokenizer::is_byte(TokenId id) const noexcept {
  return impl_->vocabulary.contains(id) && impl_->texts.is_byte(id);
}

std::int64_t Tokenizer::size() const noexcept {
  return impl_->vocabulary.size();
}

}  // namespace nolens
