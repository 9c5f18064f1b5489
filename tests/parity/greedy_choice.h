// The reference's choice of a token without sampling.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "nolens/config.h"

namespace nolens::testing {

/// First index of the largest logit that is not suppressed.
inline TokenId greedy_choice(std::span<const float> logits, const std::vector<TokenId>& suppressed) {
  std::vector<float> copy(logits.begin(), logits.end());
  for (const TokenId id : suppressed) {
    copy[static_cast<std::size_t>(id)] = -INFINITY;
  }
  return static_cast<TokenId>(std::max_element(copy.begin(), copy.end()) - copy.begin());
}

}  // namespace nolens::testing
