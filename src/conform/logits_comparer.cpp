#include "conform/logits_comparer.h"

#include <algorithm>
#include <numeric>

#include "core/checked_math.h"

namespace nolens {

LogitsComparer::LogitsComparer(const Reference& reference, std::int64_t tokens,
                               std::int64_t vocab_size) {
  if (auto all =
          reference.rule_tensor("logits", ceil_div(tokens, reference.row_step), vocab_size)) {
    rows_.emplace(std::move(*all), 0, reference.row_step);
  } else if (auto last = reference.rule_tensor("last_logits", 1, vocab_size)) {
    // The step is longer than the prompt: no position but the last is a recorded one.
    rows_.emplace(std::move(*last), tokens - 1, tokens);
    last_only_ = true;
  } else {
    reference.fail("has neither a tensor '" + reference.rule.name + ".logits' nor '" +
                   reference.rule.name + ".last_logits'; record it again");
  }
}

void LogitsComparer::add(std::int64_t position, std::span<const float> logits) {
  const std::span<const float> expected = rows_->row_at(position);
  if (expected.empty()) {
    return;
  }
  agreement_.kl.push_back(kl_divergence(expected, logits));
  agreement_.same_top += top_two(expected).best == top_two(logits).best ? 1 : 0;
  rows_->add(position, {logits.data(), 1, static_cast<std::int64_t>(logits.size())});
}

LogitsAgreement LogitsComparer::agreement() const {
  LogitsAgreement result = agreement_;
  if (!result.kl.empty()) {
    result.mean_kl = std::accumulate(result.kl.begin(), result.kl.end(), 0.0) /
                     static_cast<double>(result.kl.size());
    result.max_kl = *std::max_element(result.kl.begin(), result.kl.end());
  }
  return result;
}

}  // namespace nolens
