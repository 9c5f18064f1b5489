#include "perplexity.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace nolens::cli {
namespace {

/// -log softmax(logits)[id]
double negative_log_probability(std::span<const float> logits, TokenId id) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) {
    sum += static_cast<double>(std::exp(logit - largest));
  }
  return std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(id)] - largest);
}

}  // namespace

double Perplexity::value() const noexcept {
  return std::exp(negative_log_likelihood);
}

Perplexity measure_perplexity(const Reader& reader, std::string_view text, std::int64_t window,
                              const ProgressSink& progress) {
  const TextWindows cut = text_windows(*reader.model, text, window);
  Perplexity result;
  result.tokens = cut.tokens;
  result.windows = static_cast<std::int64_t>(cut.windows.size());
  double sum = 0.0;
  for (const std::vector<TokenId>& part : cut.windows) {
    read_window({&reader, 1}, part,
                [&](TokenId next, std::span<const std::span<const float>> logits) {
                  sum += negative_log_probability(logits.front(), next);
                  ++result.predicted;
                });
    if (progress) {
      progress(static_cast<double>(result.predicted) /
               static_cast<double>(result.windows * predicted_of(window)));
    }
  }
  result.negative_log_likelihood = sum / static_cast<double>(result.predicted);
  return result;
}

}  // namespace nolens::cli
