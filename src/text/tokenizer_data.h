// A tokenizer as plain data, before any table is built: what a tokenizer.json or a GGUF vocabulary
// says. The texts are views; `owner` keeps alive what they point to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nolens/tokenizer.h"

namespace nolens {

struct TokenizerData {
  struct Token {
    std::string_view text;  ///< valid UTF-8, not empty, unique
    bool special = false;   ///< a control token: never produced from plain text
    bool in_model = true;   ///< false: an added token only, which merges do not know
  };
  /// A token that is cut out of the text before the merges are applied.
  struct AddedToken {
    TokenId id = -1;
    bool normalized = false;   ///< looked for in the text after the normalizer, not before
    bool strip_left = false;   ///< takes the white space before it
    bool strip_right = false;  ///< takes the white space after it
  };
  struct Replacement {
    std::string_view from;  ///< not empty
    std::string_view to;
  };

  std::string name = "tokenizer";  ///< begins every error message
  std::vector<Token> tokens;       ///< index = id
  std::vector<AddedToken> added_tokens;
  std::vector<std::pair<std::string_view, std::string_view>> merges;  ///< index = rank
  std::vector<Replacement> normalizer;  ///< applied to the text one after the other
  std::vector<Replacement> decoder;     ///< applied to each token's text
  TokenId unknown = -1;                 ///< stands for a character without token and bytes
  bool split_after_space = false;       ///< merges do not cross the end of a space U+0020
  bool byte_fallback = false;  ///< characters without a token become tokens <0x00> to <0xFF>
  bool decode_bytes = false;   ///< the decoder turns <0x00> to <0xFF> into bytes
  bool fuse_unknown = false;   ///< consecutive unknown characters become one token
  bool ignore_merges = false;  ///< a word that is a token as a whole is that token
  bool adds_bos = false;       ///< the post-processor would put BOS in front; encode() does not

  std::shared_ptr<const void> owner;
};

/// Bounds that no honest file exceeds; they limit the memory a malformed one can ask for.
constexpr std::int64_t kMaxTokens = 4'000'000;
constexpr std::int64_t kMaxMerges = 4'000'000;
constexpr std::int64_t kMaxAddedTokens = 100'000;
constexpr std::size_t kMaxAddedTokenBytes = 512;

}  // namespace nolens
