// Whether a stage is within its tolerance.
#pragma once

#include "nolens/conform.h"

namespace nolens {

/// `wanted` where it is set, otherwise the default of the type.
[[nodiscard]] ConformTolerances chosen_tolerances(const ConformTolerances& wanted,
                                                  SourceDtype reference) noexcept;

/// What is not finite is never within.
[[nodiscard]] bool is_within(ConformStage stage, const Difference& difference,
                             const ConformTolerances& tolerances) noexcept;
[[nodiscard]] bool is_within(const LogitsAgreement& logits,
                             const ConformTolerances& tolerances) noexcept;
[[nodiscard]] bool is_within(const GreedyAgreement& greedy,
                             const ConformTolerances& tolerances) noexcept;

}  // namespace nolens
