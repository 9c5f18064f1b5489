// Configuration and tensors of a drafter made for one model ("assistant", multi-token prediction).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nolens/config.h"
#include "nolens/log.h"

#include "formats/json.h"
#include "formats/tensor_specs.h"

namespace nolens {

/// model_type gemma4_unified_assistant: a narrow decoder whose layers read the keys and values of
/// its target.
struct AssistantConfig {
  ModelConfig decoder;                    ///< text only
  std::int64_t backbone_hidden_size = 0;  ///< hidden_size of the target
};

/// Whether a config.json describes an assistant.
bool is_assistant_config(const Json& config);

/// \throws Error{kModel} naming the field, also for what is not computed: ordered embeddings.
AssistantConfig assistant_config_from_json(const Json& config, const std::string& name,
                                           const LogSink& log = {});

/// Reads config.json of a Hugging Face directory. \throws Error{kModel}
AssistantConfig read_assistant_config(const std::filesystem::path& directory,
                                      const LogSink& log = {});

/// Every tensor of an assistant: those of its decoder without keys, then
///   pre_projection.weight [D, 2 * backbone_hidden_size], post_projection.weight
///   [backbone_hidden_size, D]
std::vector<NamedShape> tensor_specs(const AssistantConfig& config);

/// The same under the names that the published files have: "model.layers…", as in other models
/// without media.
std::vector<NamedShape> published_tensors(const AssistantConfig& config);

}  // namespace nolens
