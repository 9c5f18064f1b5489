#include "perplexity.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "nolens/error.h"
#include "nolens/session.h"

#include "interrupt.h"

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

/// Sum over the tokens of the window's second half.
double window_loss(const std::shared_ptr<const Model>& model, std::span<const TokenId> window) {
  const std::size_t half = window.size() / 2;
  SessionOptions options;
  options.context_length = static_cast<std::int64_t>(window.size());
  Session session(model, options);
  session.append_ids(window.first(half));
  double sum = 0.0;
  AppendOptions append;
  append.on_logits = [&](std::int64_t position, std::span<const float> logits) {
    sum += negative_log_probability(logits, window[static_cast<std::size_t>(position) + 1]);
  };
  // The last token is predicted, not read.
  session.append_ids(window.subspan(half, window.size() - half - 1), append);
  return sum;
}

}  // namespace

double Perplexity::value() const noexcept {
  return std::exp(negative_log_likelihood);
}

Perplexity measure_perplexity(const std::shared_ptr<const Model>& model, std::string_view text,
                              std::int64_t window, const ProgressSink& progress) {
  const std::int64_t most = model->config().text.max_position_embeddings;
  if (window < 4 || window > most) {
    throw Error(ErrorCode::kUsage, "window of " + std::to_string(window) +
                                       " tokens: expected 4 to " + std::to_string(most) +
                                       ", the model's limit");
  }
  const TokenId bos = model->config().tokens.bos;
  std::vector<TokenId> ids;
  if (bos >= 0) {
    ids.push_back(bos);
  }
  model->tokenizer().encode(text, ParseSpecial::kNo, ids);
  Perplexity result;
  result.tokens = static_cast<std::int64_t>(ids.size());
  result.windows = result.tokens / window;
  if (result.windows == 0) {
    throw Error(ErrorCode::kInput, "the text has " + std::to_string(result.tokens) +
                                       " tokens, fewer than one window of " +
                                       std::to_string(window) +
                                       "; lower --ctx or take a longer text");
  }
  double sum = 0.0;
  for (std::int64_t i = 0; i < result.windows; ++i) {
    const std::span<TokenId> part = std::span(ids).subspan(static_cast<std::size_t>(i * window),
                                                           static_cast<std::size_t>(window));
    if (bos >= 0) {
      part.front() = bos;
    }
    sum += window_loss(model, part);
    result.predicted += window - window / 2 - 1;
    check_signal();
    if (progress) {
      progress(static_cast<double>(i + 1) / static_cast<double>(result.windows));
    }
  }
  result.negative_log_likelihood = sum / static_cast<double>(result.predicted);
  return result;
}

}  // namespace nolens::cli
