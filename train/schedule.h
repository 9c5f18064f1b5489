// Learning rate by step: linear warm-up, then a cosine down to a share of the peak.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace nolens::train {

struct Schedule {
  double peak = 1e-3;
  std::int64_t warmup = 100;  ///< steps
  std::int64_t steps = 1000;  ///< in all
  double final_share = 0.02;  ///< of the peak, at the last step

  /// Rate of step 0…steps-1.
  [[nodiscard]] double rate(std::int64_t step) const noexcept {
    if (step < warmup) {
      return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
    }
    const double span = static_cast<double>(std::max<std::int64_t>(steps - warmup, 1));
    const double done = std::min(static_cast<double>(step - warmup + 1) / span, 1.0);
    return peak *
           (final_share + (1.0 - final_share) * 0.5 * (1.0 + std::cos(std::numbers::pi * done)));
  }
};

}  // namespace nolens::train
