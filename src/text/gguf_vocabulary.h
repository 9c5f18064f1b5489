// The vocabulary of a GGUF file -> TokenizerData, which encodes as the tokenizer.json it was made
// from.
#pragma once

#include "formats/gguf/gguf_file.h"
#include "text/tokenizer_data.h"

namespace nolens {

/// Supported tokenizer.ggml.model: "gemma4" (with merges), and "llama" as Gemma 3 files (scores
/// instead of merges) and files made by Ollama have it. The result's views lead into the file,
/// which must outlive it. \throws Error{kModel} naming the key or token
[[nodiscard]] TokenizerData gguf_vocabulary(const GgufFile& file);

}  // namespace nolens
