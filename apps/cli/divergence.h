// How far the predictions of one model are from those of another.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "nolens/log.h"

#include "text_windows.h"

namespace nolens::cli {

/// The softmax of a row of logits.
class Distribution {
 public:
  void assign(std::span<const float> logits);
  [[nodiscard]] double log_probability(std::size_t token) const {
    return static_cast<double>(logits_[token]) - log_sum_;
  }
  /// The most probable token; of equal ones the first.
  [[nodiscard]] std::size_t best() const noexcept { return best_; }
  /// Sum over tokens of p log(p / q), in nats; p is this one.
  [[nodiscard]] double kl_to(const Distribution& q) const;

 private:
  std::vector<float> logits_;
  std::vector<double> probabilities_;
  double log_sum_ = 0.0;
  std::size_t best_ = 0;
};

struct Divergence {
  double mean_kl = 0.0;         ///< of reference to model; nats a position
  double max_kl = 0.0;          ///< of one position
  double top1_agreement = 0.0;  ///< share of positions with the same best token
  double perplexity = 0.0;
  double reference_perplexity = 0.0;
  std::int64_t predicted = 0;  ///< positions compared
};

/// Adds positions up.
class DivergenceSum {
 public:
  /// A position that `next` follows.
  void add(const Distribution& reference, const Distribution& model, TokenId next);
  /// Of one position at least.
  [[nodiscard]] Divergence mean() const;

 private:
  Divergence sum_;  // sums in place of means
  double loss_ = 0.0;
  double reference_loss_ = 0.0;
};

/// \throws Error{kUsage} if the vocabularies differ in size
void require_same_vocabulary(const Model& a, const Model& b);

/// Compares at the positions that read_window() reports of each of text_windows().
/// \throws what these do; Error{kUsage} if the vocabularies differ in size
Divergence measure_divergence(const Reader& model, const Reader& reference, std::string_view text,
                              std::int64_t window, const ProgressSink& progress);

}  // namespace nolens::cli
