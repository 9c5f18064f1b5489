// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <string_view>

#include "nolens/log.h"

#include "text_windows.h"

namespace nolens::cli {

struct Perplexity {
  double negative_log_likelihood = 0.0;  ///< mean over the predicted tokens, natural logarithm
  std::int64_t tokens = 0;               ///< of the text, BOS included
  std::int64_t windows = 0;
  std::int64_t predicted = 0;                   ///< tokens that count
  [[nodiscard]] double value() const noexcept;  ///< exp(negative_log_likelihood)
};

/// Of the tokens that read_window() reports in each of text_windows(). \throws what these do
Perplexity measure_perplexity(const Reader& reader, std::string_view text, std::int64_t window,
                              const ProgressSink& progress);

}  // namespace nolens::cli
