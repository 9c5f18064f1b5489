// Options and results of text generation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nolens/config.h"

namespace nolens {

/// Filters are applied in this order: bias and suppression, penalties, temperature, top-k, top-p,
/// min-p. Ranges are checked by validate().
struct SamplerOptions {
  float temperature = 1.0F;         ///< 0 = greedy; [0, 100]
  std::int64_t top_k = 0;           ///< 0 = off
  float top_p = 1.0F;               ///< 1 = off; (0, 1]. Holtzman et al. 2020
  float min_p = 0.0F;               ///< 0 = off; [0, 1]
  float repetition_penalty = 1.0F;  ///< 1 = off; (0, 10]. Keskar et al. 2019
  float frequency_penalty = 0.0F;   ///< [-2, 2]
  float presence_penalty = 0.0F;    ///< [-2, 2]
  std::vector<std::pair<TokenId, float>> logit_bias{};
  std::vector<TokenId> suppress_tokens{};
  std::uint64_t seed = 0;           ///< same seed, same options, same logits: same tokens
};

class Assistant;  // nolens/assistant.h

/// Who guesses the next tokens of an answer, so that one pass over the weights may confirm several.
/// The answer stays the same, bit for bit and for every seed: docs/performance.md, "Drafts".
enum class DraftSource : std::uint8_t {
  kOff,
  kPromptLookup,  ///< what followed the last tokens when they stood in the prompt or the answer before
  kAssistant,     ///< a small model made for the large one
};

inline constexpr std::int64_t kMaxDraftTokens = 32;

struct DraftOptions {
  DraftSource source = DraftSource::kOff;
  std::int64_t max_tokens = 7;  ///< longest draft, 1…kMaxDraftTokens; fewer while guesses fail
  std::shared_ptr<const Assistant> assistant{};  ///< with kAssistant: loaded for the session's model
};

/// What drafts brought in one answer.
struct DraftStats {
  std::int64_t passes = 0;    ///< over the weights, after the prompt's
  std::int64_t drafted = 0;   ///< tokens guessed
  std::int64_t accepted = 0;  ///< guesses the model chose itself

  /// Share of the guesses that were right, 0 without guesses.
  [[nodiscard]] double acceptance() const noexcept {
    return drafted > 0 ? static_cast<double>(accepted) / static_cast<double>(drafted) : 0.0;
  }
  /// Tokens that a pass gave on average; 1 without drafts.
  [[nodiscard]] double tokens_per_pass() const noexcept {
    return passes > 0 ? 1.0 + static_cast<double>(accepted) / static_cast<double>(passes) : 1.0;
  }
};

struct GenerateOptions {
  std::int64_t max_tokens = 1024;
  std::vector<std::string> stop{};  ///< stop texts; may straddle tokens; not part of the result
  SamplerOptions sampler{};
  DraftOptions draft{};
  std::int64_t top_logprobs = 0;  ///< alternatives reported with each token, 0…20
  bool logprobs = false;
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0.0F;  ///< natural logarithm, before temperature and filters
};

struct TokenEvent {
  TokenId id = 0;         ///< -1: no token, only text that had been held back for a stop text
  std::string_view text{};  ///< complete UTF-8, may be empty; valid during the call
  float logprob = 0.0F;   ///< only with GenerateOptions::logprobs
  std::vector<TokenLogprob> top_logprobs{};
};
/// Called on the caller's thread; returning false stops.
using TokenCallback = std::function<bool(const TokenEvent&)>;

enum class FinishReason : std::uint8_t { kStop, kLength, kCancelled };

struct GenerateResult {
  std::string text;  ///< special tokens other than the final one included, as the parser needs them
  std::vector<TokenId> tokens;  ///< without the end-of-answer token
  FinishReason finish_reason = FinishReason::kStop;
  double decode_seconds = 0.0;
  double first_token_seconds = 0.0;
  DraftStats draft{};
};

}  // namespace nolens
