// From messages to soft tokens: ids, pixels, patches, embeddings of media.
#pragma once

#include <vector>

#include "nolens/conform.h"

#include "conform/reference.h"
#include "engine/prompt_layout.h"

namespace nolens {

StageReport compare_token_ids(const Reference& reference, const Model& model,
                              const std::vector<TokenId>& ids);

/// Whether the recorded ids have placeholders exactly where `sequence` has them, so that its media
/// may be used with them.
[[nodiscard]] bool placeholders_match(const Reference& reference, const ModelConfig& config,
                                      const TokenSequence& sequence);

/// Appends what is recorded of each picture, frame and sound. \throws Error{kInput}
void compare_media(const Reference& reference, const Model& model, const TokenSequence& sequence,
                   const ConformTolerances& tolerances, std::vector<StageReport>& stages);

}  // namespace nolens
