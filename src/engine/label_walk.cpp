// A tree of tokens, fork by fork.
#include "engine/label_walk.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/check.h"

namespace nolens {

LabelWalk::LabelWalk(std::vector<std::vector<TokenId>> labels, TokenId end)
    : labels_(std::move(labels)), end_(end), probabilities_(labels_.size(), 1.0) {
  if (labels_.size() > 1) {
    Fork root;
    root.labels.resize(labels_.size());
    std::iota(root.labels.begin(), root.labels.end(), std::size_t{0});
    forks_.push_back(std::move(root));
  }
}

TokenId LabelWalk::next_token(std::size_t label, std::size_t depth) const noexcept {
  return depth < labels_[label].size() ? labels_[label][depth] : end_;
}

void LabelWalk::take(std::span<const float> logits) {
  const Fork fork = std::move(forks_.back());
  forks_.pop_back();
  std::map<TokenId, std::vector<std::size_t>> branches;
  for (const std::size_t label : fork.labels) {
    branches[next_token(label, fork.path.size())].push_back(label);
  }
  const auto logit = [&](TokenId id) { return static_cast<double>(logits[static_cast<std::size_t>(id)]); };
  double largest = logit(branches.begin()->first);
  for (const auto& [token, labels] : branches) {
    largest = std::max(largest, logit(token));
  }
  double sum = 0.0;
  for (const auto& [token, labels] : branches) {
    sum += std::exp(logit(token) - largest);
  }
  for (auto& [token, labels] : branches) {
    const double probability = fork.probability * std::exp(logit(token) - largest) / sum;
    if (labels.size() == 1) {
      probabilities_[labels.front()] = probability;
      continue;
    }
    NOLENS_CHECK(token != end_);  // labels are different
    Fork next{fork.path, std::move(labels), probability};
    next.path.push_back(token);
    forks_.push_back(std::move(next));
  }
}

}  // namespace nolens
