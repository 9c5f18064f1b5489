#include "divergence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "nolens/error.h"

namespace nolens::cli {

void Distribution::assign(std::span<const float> logits) {
  logits_.assign(logits.begin(), logits.end());
  probabilities_.resize(logits.size());
  const auto largest = std::max_element(logits.begin(), logits.end());
  best_ = static_cast<std::size_t>(largest - logits.begin());
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    probabilities_[i] = std::exp(static_cast<double>(logits[i]) - static_cast<double>(*largest));
    sum += probabilities_[i];
  }
  log_sum_ = std::log(sum) + static_cast<double>(*largest);
  for (double& probability : probabilities_) {
    probability /= sum;
  }
}

double Distribution::kl_to(const Distribution& q) const {
  double kl = 0.0;
  for (std::size_t i = 0; i < probabilities_.size(); ++i) {
    kl += probabilities_[i] * (log_probability(i) - q.log_probability(i));
  }
  return kl;
}

void DivergenceSum::add(const Distribution& reference, const Distribution& model, TokenId next) {
  const double kl = reference.kl_to(model);
  sum_.mean_kl += kl;
  sum_.max_kl = std::max(sum_.max_kl, kl);
  sum_.top1_agreement += reference.best() == model.best() ? 1.0 : 0.0;
  ++sum_.predicted;
  loss_ -= model.log_probability(static_cast<std::size_t>(next));
  reference_loss_ -= reference.log_probability(static_cast<std::size_t>(next));
}

Divergence DivergenceSum::mean() const {
  const auto count = static_cast<double>(sum_.predicted);
  Divergence mean = sum_;
  mean.mean_kl /= count;
  mean.top1_agreement /= count;
  mean.perplexity = std::exp(loss_ / count);
  mean.reference_perplexity = std::exp(reference_loss_ / count);
  return mean;
}

void require_same_vocabulary(const Model& a, const Model& b) {
  if (a.config().text.vocab_size != b.config().text.vocab_size) {
    throw Error(ErrorCode::kUsage, "the models have vocabularies of " +
                                       std::to_string(a.config().text.vocab_size) + " and " +
                                       std::to_string(b.config().text.vocab_size) +
                                       " tokens; compare models with the same tokenizer");
  }
}

Divergence measure_divergence(const Reader& model, const Reader& reference, std::string_view text,
                              std::int64_t window, const ProgressSink& progress) {
  require_same_vocabulary(*model.model, *reference.model);
  const std::vector<std::vector<TokenId>> windows =
      text_windows(*reference.model, text, window).windows;
  const std::array<Reader, 2> readers = {reference, model};
  std::array<Distribution, 2> distributions;
  DivergenceSum sum;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    read_window(readers, windows[i],
                [&](TokenId next, std::span<const std::span<const float>> logits) {
                  for (std::size_t r = 0; r < readers.size(); ++r) {
                    distributions[r].assign(logits[r]);
                  }
                  sum.add(distributions[0], distributions[1], next);
                });
    if (progress) {
      progress(static_cast<double>(i + 1) / static_cast<double>(windows.size()));
    }
  }
  return sum.mean();
}

}  // namespace nolens::cli
