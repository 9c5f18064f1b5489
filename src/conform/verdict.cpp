// The bars and where they come from: docs/conform.md, "Tolerances".
#include "conform/verdict.h"

namespace nolens {
namespace {

/// True unless the bar is set and `value` is above it or not a number.
bool at_most(double value, const std::optional<double>& bar) noexcept {
  return !bar.has_value() || value <= *bar;
}

}  // namespace

ConformTolerances default_tolerances(SourceDtype reference) noexcept {
  ConformTolerances tolerances;
  if (reference == SourceDtype::kFloat32) {
    tolerances.embeddings = 1e-5;
    tolerances.hidden = 100 * 0x1p-24;
    tolerances.logits = 2e-4;
    tolerances.margin = 0.0;
  } else {
    tolerances.cosine = 0.99;
    tolerances.kl = 0.02;
    tolerances.margin = 0.5;
  }
  return tolerances;
}

ConformTolerances chosen_tolerances(const ConformTolerances& wanted,
                                    SourceDtype reference) noexcept {
  ConformTolerances result = default_tolerances(reference);
  const auto replace = [](std::optional<double>& bar, const std::optional<double>& value) {
    bar = value.has_value() ? value : bar;
  };
  replace(result.embeddings, wanted.embeddings);
  replace(result.hidden, wanted.hidden);
  replace(result.logits, wanted.logits);
  replace(result.cosine, wanted.cosine);
  replace(result.kl, wanted.kl);
  replace(result.margin, wanted.margin);
  return result;
}

bool is_within(ConformStage stage, const Difference& difference,
               const ConformTolerances& tolerances) noexcept {
  switch (stage) {
    case ConformStage::kTokenIds:
    case ConformStage::kPixels:
    case ConformStage::kPatches:
    case ConformStage::kGreedy: return difference.max_abs == 0.0;
    case ConformStage::kSoftTokens:
    case ConformStage::kInputEmbeddings:
      if (!at_most(difference.max_abs, tolerances.embeddings)) {
        return false;
      }
      break;
    case ConformStage::kLayer:
    case ConformStage::kFinalNorm:
      if (tolerances.hidden.has_value() &&
          !at_most(difference.max_abs, *tolerances.hidden * difference.largest)) {
        return false;
      }
      break;
    case ConformStage::kLogits:
      if (!at_most(difference.max_abs, tolerances.logits)) {
        return false;
      }
      break;
  }
  return !tolerances.cosine.has_value() || difference.min_cosine >= *tolerances.cosine;
}

bool is_within(const LogitsAgreement& logits, const ConformTolerances& tolerances) noexcept {
  return at_most(logits.mean_kl, tolerances.kl);
}

bool is_within(const GreedyAgreement& greedy, const ConformTolerances& tolerances) noexcept {
  return greedy.first_difference < 0 ||
         (tolerances.margin.has_value() && *tolerances.margin > 0.0 &&
          greedy.reference_margin.value_or(greedy.engine_margin) <= *tolerances.margin);
}

}  // namespace nolens
