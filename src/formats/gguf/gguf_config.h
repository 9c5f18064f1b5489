// Metadata of GGUF files -> ModelConfig. One table of keys, ranges and defaults per architecture.
#pragma once

#include "nolens/config.h"

#include "formats/gguf/gguf_set.h"

namespace nolens {

/// Supported general.architecture: gemma4, gemma3.
/// \param text    the language model
/// \param mmproj  the file that holds the embedders of pictures and sound, nullptr for text only
/// \throws Error{kModel} naming file and key
ModelConfig read_gguf_config(const GgufSet& text, const GgufSet* mmproj);

/// Why `mmproj` cannot serve the language model `text`; "" if it can.
std::string mmproj_problem(const GgufSet& text, const GgufSet& mmproj);

/// Whether this is a file of embedders rather than a language model: its architecture is "clip".
[[nodiscard]] bool is_mmproj(const GgufFile& file);

}  // namespace nolens
