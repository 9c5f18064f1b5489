#include "conform/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nolens {
namespace {

/// log(sum(exp(x))), without overflow.
double log_sum_exp(std::span<const float> values) {
  const double largest = static_cast<double>(*std::max_element(values.begin(), values.end()));
  double sum = 0.0;
  for (const float value : values) {
    sum += std::exp(static_cast<double>(value) - largest);
  }
  return largest + std::log(sum);
}

}  // namespace

void DifferenceMeter::add(std::int64_t row, std::span<const float> reference,
                          std::span<const float> engine) {
  double dot = 0.0;
  double reference_square = 0.0;
  double engine_square = 0.0;
  double row_max = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto a = static_cast<double>(reference[i]);
    const auto b = static_cast<double>(engine[i]);
    const double apart = std::fabs(a - b);
    // Written so that NaN counts as infinitely far.
    row_max = apart <= row_max ? row_max : apart;
    row_max = std::isnan(apart) ? std::numeric_limits<double>::infinity() : row_max;
    sum_ += apart;
    difference_.largest = std::max(difference_.largest, std::fabs(a));
    dot += a * b;
    reference_square += a * a;
    engine_square += b * b;
  }
  if (row_max > difference_.max_abs) {
    difference_.max_abs = row_max;
    difference_.worst_row = row;
  }
  const double norms = std::sqrt(reference_square) * std::sqrt(engine_square);
  const double both_zero = reference_square == engine_square ? 1.0 : 0.0;
  const double cosine = norms == 0.0 ? both_zero : std::min(dot / norms, 1.0);
  // Once it is NaN, because the engine's values are not finite, it stays so.
  if (!std::isnan(difference_.min_cosine) && !(cosine >= difference_.min_cosine)) {
    difference_.min_cosine = cosine;
  }
  values_ += static_cast<std::int64_t>(reference.size());
  ++difference_.rows;
}

Difference DifferenceMeter::result() const noexcept {
  Difference result = difference_;
  result.mean_abs = values_ == 0 ? 0.0 : sum_ / static_cast<double>(values_);
  return result;
}

double kl_divergence(std::span<const float> reference, std::span<const float> engine) {
  const double reference_sum = log_sum_exp(reference);
  const double engine_sum = log_sum_exp(engine);
  double total = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - reference_sum;
    const double q = static_cast<double>(engine[i]) - engine_sum;
    total += std::exp(p) * (p - q);
  }
  return std::max(total, 0.0);  // rounding may leave it a little below
}

TopTwo top_two(std::span<const float> logits, const std::vector<bool>& suppressed) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  float best = kNone;
  float second = kNone;
  TopTwo result;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!suppressed.empty() && suppressed[i]) {
      continue;
    }
    if (logits[i] > best) {
      second = best;
      best = logits[i];
      result.best = static_cast<TokenId>(i);
    } else if (logits[i] > second) {
      second = logits[i];
    }
  }
  result.margin = static_cast<double>(best) - static_cast<double>(second);
  return result;
}

}  // namespace nolens
