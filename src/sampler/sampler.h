// Logits -> token id.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "nolens/generate.h"

#include "sampler/filters.h"

namespace nolens {

/// \throws Error{kUsage} naming the option, its range and the value found.
void validate(const SamplerOptions& options);

/// Picks tokens for one answer. Same options and logits: same tokens, on every machine with the
/// same C++ library rounding of exp.
class Sampler {
 public:
  /// `context` are the ids before the answer: the repetition penalty counts them, as the reference
  /// does; frequency and presence penalties count the answer only, as the OpenAI API does. Ids of
  /// `context` that cannot be generated are ignored.
  /// \throws Error{kUsage} as validate(), or if a bias or suppressed id is not in the vocabulary.
  Sampler(SamplerOptions options, std::span<const TokenId> context, std::int64_t vocab_size);

  /// Chooses the next token and counts it. Greedy ties go to the first index.
  /// `logits` are [vocab_size]; -infinity forbids a token.
  /// \throws Error{kInput} if no token is left; Error{kModel} if a logit is NaN or +infinity.
  TokenId sample(std::span<const float> logits);

  /// Log-probability of `id` under softmax(logits), before any filter.
  static float logprob(std::span<const float> logits, TokenId id);
  /// The `count` most likely tokens, best first.
  static std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, std::int64_t count);

 private:
  void apply_biases_and_penalties();
  void count(TokenId id);

  SamplerOptions options_;
  std::vector<bool> is_seen_;                         ///< [vocab_size] in the context or the answer
  std::vector<TokenId> seen_;                         ///< the same as a list, each id once
  std::unordered_map<TokenId, std::int64_t> counts_;  ///< tokens of the answer
  std::uint64_t draws_ = 0;                           ///< position in the random stream
  std::vector<float> scores_;                         ///< [vocab_size] logits being changed
  std::vector<Candidate> candidates_;                 ///< of the current token; kept for its memory
};

}  // namespace nolens
