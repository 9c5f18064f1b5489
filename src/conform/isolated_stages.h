// Each layer from the reference's own state before it: shows where an error is born.
#pragma once

#include <memory>
#include <vector>

#include "nolens/conform.h"

#include "conform/reference.h"
#include "engine/prompt_layout.h"

namespace nolens {

/// Fills `isolated` of the layers, final norm and logits in `stages`. Where not every layer is
/// recorded, a recorded one runs from the last recorded before it. \throws Error{kInput} if the
/// recording has no states to begin from.
void compare_isolated(const Reference& reference, const Model& model, const TokenSequence& sequence,
                      const ConformTolerances& tolerances, std::vector<StageReport>& stages);

}  // namespace nolens
