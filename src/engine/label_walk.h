// Probabilities of texts among a closed set of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nolens/config.h"

namespace nolens {

/// Walks the tree of the labels' tokens. At each fork the model's probabilities are shared out among the
/// tokens with which a label goes on there; where only one label is left, no more is asked.
class LabelWalk {
 public:
  /// `labels` are different and not empty; `end` is what follows a label that another one continues.
  LabelWalk(std::vector<std::vector<TokenId>> labels, TokenId end);

  /// Whether logits are still wanted: those after the question and path().
  [[nodiscard]] bool wants_logits() const noexcept { return !forks_.empty(); }
  [[nodiscard]] std::span<const TokenId> path() const noexcept { return forks_.back().path; }
  /// Takes logits [vocab_size] after path(). \pre wants_logits()
  void take(std::span<const float> logits);
  /// [labels], adding up to 1 once no more logits are wanted.
  [[nodiscard]] const std::vector<double>& probabilities() const noexcept { return probabilities_; }

 private:
  struct Fork {
    std::vector<TokenId> path;
    std::vector<std::size_t> labels;  ///< that begin with path
    double probability = 1.0;
  };
  [[nodiscard]] TokenId next_token(std::size_t label, std::size_t depth) const noexcept;

  std::vector<std::vector<TokenId>> labels_;
  TokenId end_;
  std::vector<Fork> forks_;
  std::vector<double> probabilities_;
};

}  // namespace nolens
