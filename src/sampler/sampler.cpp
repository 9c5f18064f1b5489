// One token: bias, penalties, then greedy or temperature, top-k, top-p, min-p and a draw.
#include "sampler/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "nolens/error.h"

#include "core/check.h"
#include "sampler/filters.h"
#include "sampler/rng.h"

namespace nolens {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Bounds of an option; `open_low` leaves `low` itself out. NaN is in no range.
void check_range(const char* option, float value, float low, float high, bool open_low = false) {
  const bool above = open_low ? value > low : value >= low;
  if (!(above && value <= high)) {
    const auto text = [](float number) {
      std::string digits = std::to_string(number);
      digits.erase(digits.find_last_not_of('0') + 1);
      return digits.back() == '.' ? digits + "0" : digits;
    };
    throw Error(ErrorCode::kUsage, std::string(option) + " must be " +
                                       (open_low ? "above " : "at least ") + text(low) +
                                       " and at most " + text(high) + "; found " + text(value));
  }
}

void check_id(const char* option, TokenId id, std::int64_t vocab_size) {
  if (id < 0 || id >= vocab_size) {
    throw Error(ErrorCode::kUsage, std::string(option) + ": token id " + std::to_string(id) +
                                       " is not in the vocabulary; ids run from 0 to " +
                                       std::to_string(vocab_size - 1));
  }
}

void check_numbers(std::span<const float> logits) {
  // Counted without branches, which vectorises; the culprit is looked for only if there is one.
  int wrong = 0;
  for (const float logit : logits) {
    wrong += logit < std::numeric_limits<float>::infinity() ? 0 : 1;
  }
  if (wrong == 0) {
    return;
  }
  const auto first = std::find_if(logits.begin(), logits.end(), [](float logit) {
    return !(logit < std::numeric_limits<float>::infinity());
  });
  throw Error(ErrorCode::kModel, "the model's output is not a number: " + std::to_string(wrong) +
                                     " of " + std::to_string(logits.size()) +
                                     " logits are NaN or infinite, the first at id " +
                                     std::to_string(first - logits.begin()) +
                                     "; the weights are damaged or overflow their number format");
}

/// First index of `largest`, which is the largest of `maxima`.
TokenId first_index_of(float largest, std::span<const float> scores,
                       std::span<const float> maxima) {
  const auto block = std::find(maxima.begin(), maxima.end(), largest) - maxima.begin();
  const auto begin = scores.begin() + block * static_cast<std::ptrdiff_t>(kScoreBlock);
  return static_cast<TokenId>(std::find(begin, scores.end(), largest) - scores.begin());
}

/// Scores below it would be filtered out anyway: their exponentials need not be computed.
float weighing_threshold(const SamplerOptions& options, std::span<const float> scores,
                         std::span<const float> maxima) {
  float threshold = kMinusInfinity;
  if (options.top_k > 0) {
    threshold = kth_largest(scores, maxima,
                            std::min(options.top_k, static_cast<std::int64_t>(scores.size())));
  }
  if (options.min_p > 0.0F && options.top_p == 1.0F) {
    constexpr float kMargin = 0.01F;  // rounding of the logarithm; keep_min_p() decides
    const float largest = *std::max_element(maxima.begin(), maxima.end());
    threshold =
        std::max(threshold, largest + options.temperature * (std::log(options.min_p) - kMargin));
  }
  return threshold;
}

}  // namespace

void validate(const SamplerOptions& options) {
  check_range("temperature", options.temperature, 0.0F, 100.0F);
  check_range("top_p", options.top_p, 0.0F, 1.0F, true);
  check_range("min_p", options.min_p, 0.0F, 1.0F);
  check_range("repetition_penalty", options.repetition_penalty, 0.0F, 10.0F, true);
  check_range("frequency_penalty", options.frequency_penalty, -2.0F, 2.0F);
  check_range("presence_penalty", options.presence_penalty, -2.0F, 2.0F);
  if (options.top_k < 0) {
    throw Error(ErrorCode::kUsage,
                "top_k must be 0 (off) or more; found " + std::to_string(options.top_k));
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (!std::isfinite(bias)) {
      throw Error(ErrorCode::kUsage, "logit_bias of token id " + std::to_string(id) +
                                         " must be a finite number; use suppress_tokens to forbid"
                                         " a token");
    }
  }
}

Sampler::Sampler(SamplerOptions options, std::span<const TokenId> context, std::int64_t vocab_size)
    : options_(std::move(options)) {
  validate(options_);
  NOLENS_CHECK(vocab_size > 0);
  for (const auto& [id, bias] : options_.logit_bias) {
    check_id("logit_bias", id, vocab_size);
  }
  for (const TokenId id : options_.suppress_tokens) {
    check_id("suppress_tokens", id, vocab_size);
  }
  is_seen_.resize(static_cast<std::size_t>(vocab_size));
  scores_.resize(static_cast<std::size_t>(vocab_size));
  for (const TokenId id : context) {
    if (id >= 0 && id < vocab_size && !is_seen_[static_cast<std::size_t>(id)]) {
      is_seen_[static_cast<std::size_t>(id)] = true;
      seen_.push_back(id);
    }
  }
}

void Sampler::apply_biases_and_penalties() {
  const auto score = [this](TokenId id) -> float& { return scores_[static_cast<std::size_t>(id)]; };
  for (const auto& [id, bias] : options_.logit_bias) {
    score(id) += bias;
  }
  for (const TokenId id : options_.suppress_tokens) {
    score(id) = kMinusInfinity;
  }
  if (options_.repetition_penalty != 1.0F) {
    for (const TokenId id : seen_) {
      float& value = score(id);
      value =
          value < 0.0F ? value * options_.repetition_penalty : value / options_.repetition_penalty;
    }
  }
  // Each id is changed once, on its own: the map's order does not matter.
  for (const auto& [id, count] : counts_) {
    score(id) -= static_cast<float>(count) * options_.frequency_penalty + options_.presence_penalty;
  }
}

TokenId Sampler::sample(std::span<const float> logits) {
  NOLENS_CHECK(logits.size() == scores_.size());
  check_numbers(logits);
  std::copy(logits.begin(), logits.end(), scores_.begin());
  apply_biases_and_penalties();
  const std::vector<float> maxima = block_maxima(scores_);
  const float largest = *std::max_element(maxima.begin(), maxima.end());
  if (!std::isfinite(largest)) {
    throw Error(ErrorCode::kInput,
                "no token is left to choose from: bias, penalties and suppressed tokens exclude "
                "all " +
                    std::to_string(scores_.size()) + "; relax one of them");
  }
  if (options_.temperature == 0.0F) {
    const TokenId id = first_index_of(largest, scores_, maxima);
    count(id);
    return id;
  }
  weigh(scores_, maxima, weighing_threshold(options_, scores_, maxima), options_.temperature,
        candidates_);
  if (options_.top_p < 1.0F) {
    keep_top_p(candidates_, options_.top_p);
  }
  if (options_.min_p > 0.0F) {
    keep_min_p(candidates_, options_.min_p);
  }
  const TokenId id = draw(candidates_, uniform(options_.seed, draws_));
  ++draws_;
  count(id);
  return id;
}

void Sampler::count(TokenId id) {
  ++counts_[id];
  if (!is_seen_[static_cast<std::size_t>(id)]) {
    is_seen_[static_cast<std::size_t>(id)] = true;
    seen_.push_back(id);
  }
}

}  // namespace nolens
