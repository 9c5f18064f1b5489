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
double window_loss(const std::shared_ptr<const Model>& model, std::span<const TokenId> window,
                   KvCacheType kv_cache) {
  const std::size_t half = window.size() / 2;
  SessionOptions options;
  options.context_length = static_cast<std::int64_t>(window.size());
  options.kv_cache = kv_cache;
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

TextWindows text_windows(const Model& model, std::string_view text, std::int64_t window) {
  const std::int64_t most = model.config().text.max_position_embeddings;
  if (window < 4 || window > most) {
    throw Error(ErrorCode::kUsage, "window of " + std::to_string(window) +
                                       " tokens: expected 4 to " + std::to_string(most) +
                                       ", the model's limit");
  }
  const TokenId bos = model.config().tokens.bos;
  std::vector<TokenId> ids;
  if (bos >= 0) {
    ids.push_back(bos);
  }
  model.tokenizer().encode(text, ParseSpecial::kNo, ids);
  const auto size = static_cast<std::size_t>(window);
  if (ids.size() < size) {
    throw Error(ErrorCode::kInput, "the text has " + std::to_string(ids.size()) +
                                       " tokens, fewer than one window of " +
                                       std::to_string(window) +
                                       "; lower --ctx or take a longer text");
  }
  TextWindows result;
  result.tokens = static_cast<std::int64_t>(ids.size());
  for (std::size_t begin = 0; begin + size <= ids.size(); begin += size) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
    result.windows.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    if (bos >= 0) {
      result.windows.back().front() = bos;
    }
  }
  return result;
}

Perplexity measure_perplexity(const std::shared_ptr<const Model>& model, std::string_view text,
                              std::int64_t window, KvCacheType kv_cache,
                              const ProgressSink& progress) {
  const TextWindows cut = text_windows(*model, text, window);
  Perplexity result;
  result.tokens = cut.tokens;
  result.windows = static_cast<std::int64_t>(cut.windows.size());
  double sum = 0.0;
  for (const std::vector<TokenId>& part : cut.windows) {
    sum += window_loss(model, part, kv_cache);
    result.predicted += window - window / 2 - 1;
    check_signal();
    if (progress) {
      progress(static_cast<double>(result.predicted) /
               static_cast<double>(result.windows * (window - window / 2 - 1)));
    }
  }
  result.negative_log_likelihood = sum / static_cast<double>(result.predicted);
  return result;
}

}  // namespace nolens::cli
