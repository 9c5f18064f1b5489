// What a training step is made of, as plain data: a picture prefix and the conversations about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nolens/config.h"

namespace nolens::train {

/// What follows the shared prefix: rest of the prompt, then the answer with its end token.
struct Branch {
  std::vector<TokenId> tokens;
  std::int64_t answer_begin =
      0;  ///< index of the first answer token, >= 1; the loss counts from here
};

/// Patches of one picture, cut by the engine's own processor.
struct Patches {
  std::vector<float> values;       ///< [count, patch_values]
  std::vector<std::int64_t> x, y;  ///< [count], place on the patch grid
  [[nodiscard]] std::int64_t count() const noexcept { return static_cast<std::int64_t>(x.size()); }
};

/// Known truth about an own drawing, for the scaffold loss.
struct ScaffoldLabel {
  std::int64_t shape = 0;
  std::int64_t colour = 0;
  float centre_x = 0.0F;
  float centre_y = 0.0F;
};

/// One picture (or several, or none) with up to K branches. Exactly equal to as many separate
/// sequences, because a branch sees the prefix and itself only.
struct Group {
  std::vector<TokenId> prefix;    ///< one image placeholder token per patch
  std::vector<Patches> pictures;  ///< in the order of their placeholders
  std::vector<Branch> branches;
  std::vector<TokenId> caption;  ///< what the contrastive loss pairs with the picture; may be empty
  std::string picture_key;       ///< equal keys are the same picture
  std::optional<ScaffoldLabel> label;
};

}  // namespace nolens::train
