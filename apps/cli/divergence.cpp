#include "divergence.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "nolens/error.h"
#include "nolens/session.h"

#include "interrupt.h"
#include "perplexity.h"

namespace nolens::cli {
namespace {

struct LogitsOfWindow {
  std::vector<float> values;  // [positions, vocabulary]
  std::size_t vocabulary = 0;

  [[nodiscard]] std::span<const float> row(std::size_t i) const {
    return std::span(values).subspan(i * vocabulary, vocabulary);
  }
};

/// Logits after each token of the second half but the last.
LogitsOfWindow logits_of(const std::shared_ptr<const Model>& model, std::span<const TokenId> window,
                         KvCacheType kv_cache) {
  const std::size_t half = window.size() / 2;
  SessionOptions options;
  options.context_length = static_cast<std::int64_t>(window.size());
  options.kv_cache = kv_cache;
  Session session(model, options);
  session.append_ids(window.first(half));
  LogitsOfWindow result;
  AppendOptions append;
  append.on_logits = [&](std::int64_t, std::span<const float> logits) {
    result.vocabulary = logits.size();
    result.values.insert(result.values.end(), logits.begin(), logits.end());
  };
  session.append_ids(window.subspan(half, window.size() - half - 1), append);
  return result;
}

/// log of the sum of exp(logit), and the index of the largest.
struct Normalizer {
  double log_sum = 0.0;
  std::size_t best = 0;

  explicit Normalizer(std::span<const float> logits) {
    const auto largest = std::max_element(logits.begin(), logits.end());
    best = static_cast<std::size_t>(largest - logits.begin());
    double sum = 0.0;
    for (const float logit : logits) {
      sum += std::exp(static_cast<double>(logit) - static_cast<double>(*largest));
    }
    log_sum = std::log(sum) + static_cast<double>(*largest);
  }
};

}  // namespace

Divergence measure_divergence(const std::shared_ptr<const Model>& model,
                              const std::shared_ptr<const Model>& reference, std::string_view text,
                              std::int64_t window, KvCacheType kv_cache,
                              const ProgressSink& progress) {
  if (model->config().text.vocab_size != reference->config().text.vocab_size) {
    throw Error(ErrorCode::kUsage, "the models have vocabularies of " +
                                       std::to_string(model->config().text.vocab_size) + " and " +
                                       std::to_string(reference->config().text.vocab_size) +
                                       " tokens; compare models with the same tokenizer");
  }
  const std::vector<std::vector<TokenId>> windows = text_windows(*reference, text, window).windows;
  Divergence result;
  double loss = 0.0;
  double reference_loss = 0.0;
  double agreed = 0.0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const LogitsOfWindow p_logits = logits_of(reference, windows[i], KvCacheType::kAuto);
    const LogitsOfWindow q_logits = logits_of(model, windows[i], kv_cache);
    const std::size_t half = windows[i].size() / 2;
    for (std::size_t t = 0; t + half + 1 < windows[i].size(); ++t) {
      const std::span<const float> p = p_logits.row(t);
      const std::span<const float> q = q_logits.row(t);
      const Normalizer p_norm(p);
      const Normalizer q_norm(q);
      double kl = 0.0;
      for (std::size_t v = 0; v < p.size(); ++v) {
        const double log_p = static_cast<double>(p[v]) - p_norm.log_sum;
        kl += std::exp(log_p) * (log_p - (static_cast<double>(q[v]) - q_norm.log_sum));
      }
      const auto next = static_cast<std::size_t>(windows[i][half + t + 1]);
      loss += q_norm.log_sum - static_cast<double>(q[next]);
      reference_loss += p_norm.log_sum - static_cast<double>(p[next]);
      agreed += p_norm.best == q_norm.best ? 1.0 : 0.0;
      result.mean_kl += kl;
      result.max_kl = std::max(result.max_kl, kl);
      ++result.predicted;
    }
    check_signal();
    if (progress) {
      progress(static_cast<double>(i + 1) / static_cast<double>(windows.size()));
    }
  }
  const auto count = static_cast<double>(result.predicted);
  result.mean_kl /= count;
  result.top1_agreement = agreed / count;
  result.perplexity = std::exp(loss / count);
  result.reference_perplexity = std::exp(reference_loss / count);
  return result;
}

}  // namespace nolens::cli
