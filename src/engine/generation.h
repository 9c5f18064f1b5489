// One answer while it is being written: what the token loops of Session and Engine share.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "engine/model_impl.h"
#include "nolens/generate.h"
#include "sampler/sampler.h"
#include "text/stop_matcher.h"
#include "text/streaming_decoder.h"

namespace nolens {

/// \throws Error{kUsage} naming the option that is out of its range.
void validate(const GenerateOptions& options, const Model::Impl& model);

/// Draws tokens, turns them into text and says when the answer is over. Of each token: draw(), then
/// deliver(); after the last one close(). Does not touch keys and values.
class Generation {
 public:
  /// `context` are the ids before the answer. `model` outlives the generation.
  /// \throws Error{kUsage} as validate().
  Generation(const Model::Impl& model, const GenerateOptions& options, std::span<const TokenId> context);

  /// The next token. `logits` [vocab_size] are those it is drawn from.
  /// \throws Error{kInput} if no token is left, Error{kModel} if a logit is not a number.
  TokenId draw(std::span<const float> logits);
  /// Hands the text of the token drawn to `on_token`. `room` is the number of tokens that still fit the
  /// context behind it. Whether another token is wanted: done() otherwise.
  bool deliver(std::int64_t room, const TokenCallback& on_token);
  [[nodiscard]] bool done() const noexcept { return done_; }
  /// Tokens that may follow what was delivered, `room` of which fit the context.
  [[nodiscard]] std::int64_t remaining(std::int64_t room) const noexcept;
  /// Hands on text that was held back, and the times. The generation is over.
  GenerateResult close(const TokenCallback& on_token);

 private:
  [[nodiscard]] double elapsed() const;
  bool hand_on(TokenEvent event, std::string_view text, const TokenCallback& on_token);

  const Model::Impl& model_;
  std::int64_t max_tokens_;
  std::int64_t top_logprobs_;
  bool logprobs_;
  Sampler sampler_;
  StreamingDecoder decoder_;
  StopMatcher stop_matcher_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  TokenEvent drawn_{};  ///< the token of draw(), until it is delivered
  GenerateResult result_;
  bool done_ = false;
};

}  // namespace nolens
