// From input embeddings to greedy tokens, each stage from the engine's own results before it.
#pragma once

#include <memory>
#include <vector>

#include "nolens/conform.h"

#include "conform/reference.h"
#include "engine/prompt_layout.h"

namespace nolens {

/// Runs the prompt once and appends every stage that is recorded. \throws Error{kInput}
void compare_decoder(const Reference& reference, const std::shared_ptr<const Model>& model,
                     TokenSequence sequence, const ConformTolerances& tolerances,
                     const ProgressSink& progress, std::vector<StageReport>& stages);

}  // namespace nolens
