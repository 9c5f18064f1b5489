// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

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

/// BOS and the text are cut into windows of `window` tokens without overlap; what is left at the
/// end does not count. In each window the first token is replaced by BOS, and tokens of its second
/// half are predicted from everything before them: those at window/2 + 1 and after. llama.cpp's
/// program llama-perplexity counts the same tokens. \throws Error{kInput} if the text has fewer
/// tokens than one window, Error{kUsage} if window < 4 or beyond the model's context
Perplexity measure_perplexity(const std::shared_ptr<const Model>& model, std::string_view text,
                              std::int64_t window, const ProgressSink& progress);

}  // namespace nolens::cli
