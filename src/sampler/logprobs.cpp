// Log-probabilities for the caller: of the model's own distribution, in double precision.
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "sampler/sampler.h"

namespace nolens {
namespace {

/// Softmax in two parts, so that huge logits keep their differences:
/// log p(id) = (logit[id] - largest) - log_sum.
struct LogSoftmax {
  double largest = 0.0;
  double log_sum = 0.0;

  explicit LogSoftmax(std::span<const float> logits)
      : largest(static_cast<double>(*std::max_element(logits.begin(), logits.end()))) {
    double sum = 0.0;
    for (const float logit : logits) {
      sum += std::exp(static_cast<double>(logit) - largest);
    }
    log_sum = std::log(sum);
  }

  [[nodiscard]] float of(float logit) const {
    return static_cast<float>((static_cast<double>(logit) - largest) - log_sum);
  }
};

}  // namespace

float Sampler::logprob(std::span<const float> logits, TokenId id) {
  NOLENS_CHECK(id >= 0 && static_cast<std::size_t>(id) < logits.size());
  return LogSoftmax(logits).of(logits[static_cast<std::size_t>(id)]);
}

std::vector<TokenLogprob> Sampler::top_logprobs(std::span<const float> logits, std::int64_t count) {
  std::vector<TokenLogprob> best;
  if (count <= 0 || logits.empty()) {
    return best;
  }
  // A short list, best first; equal logits keep the order of their ids.
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (static_cast<std::int64_t>(best.size()) == count) {
      if (!(logits[i] > best.back().logprob)) {
        continue;
      }
      best.pop_back();
    }
    const auto place = std::upper_bound(
        best.begin(), best.end(), logits[i],
        [](float logit, const TokenLogprob& other) { return logit > other.logprob; });
    best.insert(place, {static_cast<TokenId>(i), logits[i]});
  }
  const LogSoftmax softmax(logits);
  for (TokenLogprob& token : best) {
    token.logprob = softmax.of(token.logprob);
  }
  return best;
}

}  // namespace nolens
