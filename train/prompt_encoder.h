// Conversations -> token ids, through the same chat template and tokenizer as inference.
#pragma once

#include <string>
#include <vector>

#include "nolens/chat.h"
#include "nolens/config.h"
#include "nolens/tokenizer.h"

#include "groups.h"

namespace nolens::train {

class PromptEncoder {
 public:
  /// Keeps references. \throws Error{kModel} if the tokenizer lacks a control token.
  PromptEncoder(const Tokenizer& tokenizer, const ModelConfig& config);

  /// A prompt cut behind its last picture. Pictures stand as one placeholder token each, between
  /// their begin and end tokens; expand() repeats it.
  struct Encoded {
    std::vector<TokenId> prefix;
    std::vector<TokenId> rest;
    std::vector<std::string> pictures;  ///< names of the picture parts, in order
  };
  /// Messages before an answer, with the generation prompt.
  [[nodiscard]] Encoded encode(const std::vector<Message>& messages) const;

  /// rest + answer + end of turn.
  [[nodiscard]] Branch branch(std::vector<TokenId> rest, const std::string& answer) const;

  [[nodiscard]] std::vector<TokenId> caption(const std::string& text) const;

  /// Repeats the i-th placeholder counts[i] times.
  [[nodiscard]] std::vector<TokenId> expand(const std::vector<TokenId>& prefix,
                                            const std::vector<std::int64_t>& counts) const;

  /// Tokens a picture becomes. \throws Error{kInput} if the model takes no pictures, or not this
  /// one.
  [[nodiscard]] std::int64_t picture_tokens(const Image& picture, const std::string& name) const;

  /// Text of an answer without its end token.
  [[nodiscard]] std::string answer_text(const Branch& branch) const;

 private:
  const Tokenizer& tokenizer_;
  const ModelConfig& config_;
  TokenId end_of_turn_ = -1;
};

}  // namespace nolens::train
