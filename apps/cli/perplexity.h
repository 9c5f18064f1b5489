// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "nolens/log.h"
#include "nolens/model.h"

namespace nolens::cli {

inline constexpr std::int64_t kDefaultPerplexityWindow = 512;

struct Perplexity {
  double negative_log_likelihood = 0.0;  ///< mean over the predicted tokens, natural logarithm
  std::int64_t tokens = 0;               ///< of the text, BOS included
  std::int64_t windows = 0;
  std::int64_t predicted = 0;                   ///< tokens that count
  [[nodiscard]] double value() const noexcept;  ///< exp(negative_log_likelihood)
};

struct TextWindows {
  std::vector<std::vector<TokenId>> windows;
  std::int64_t tokens = 0;  ///< of the text, BOS included
};

/// BOS and the text in windows of `window` tokens without overlap, the first token of each replaced by
/// BOS; what is left at the end is left out. \throws Error{kInput} if the text has fewer tokens than one
/// window, Error{kUsage} if window < 4 or beyond the model's context
TextWindows text_windows(const Model& model, std::string_view text, std::int64_t window);

/// In each of text_windows(), tokens of the second half are predicted from everything before them: those
/// at window/2 + 1 and after. llama.cpp's program llama-perplexity counts the same tokens.
/// \throws what text_windows() does
Perplexity measure_perplexity(const std::shared_ptr<const Model>& model, std::string_view text,
                              std::int64_t window, KvCacheType kv_cache,
                              const ProgressSink& progress);

}  // namespace nolens::cli
