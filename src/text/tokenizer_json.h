// Reads Hugging Face's tokenizer.json.
//
// Supported: model BPE; normalizer null, Replace, Sequence; pre_tokenizer null, Split after a
// space; decoder Sequence of Replace, ByteFallback, Fuse; post_processor null, TemplateProcessing
// (read, not applied: the chat template writes the beginning-of-sequence token). `truncation` and
// `padding` are the engine's business and ignored.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer_data.h"

namespace nolens {

/// The result owns its texts. `name` begins every message.
/// \throws Error{kModel} naming the field or index, and what is supported.
[[nodiscard]] TokenizerData parse_tokenizer_json(std::string_view json, const std::string& name);

}  // namespace nolens
