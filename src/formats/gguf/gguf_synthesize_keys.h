// Metadata of GGUF files with random weights: every key that published files have.
#pragma once

#include "nolens/config.h"

#include "formats/gguf/gguf_writer.h"

namespace nolens {

/// Of the language model. \param type  of its matrices
GgufMetadata synthetic_text_keys(const ModelConfig& config, DType type);

/// Of the projector file.
GgufMetadata synthetic_mmproj_keys(const ModelConfig& config, DType type);

/// \throws Error{kUsage} if the files have no way to say what `config` says
void check_gguf_can_describe(const ModelConfig& config);

/// rope_freqs.weight: 1 for each pair that turns, 1e30 for each that does not.
std::vector<float> synthetic_rope_freqs(const TextConfig& text);

}  // namespace nolens
