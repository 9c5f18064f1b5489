// The parts of config_reader: one function per document section. Each accepts the old and the new
// spelling and refuses what the engine does not compute, rather than run wrongly.
#pragma once

#include <cstdint>

#include "nolens/config.h"
#include "nolens/log.h"

#include "formats/json_fields.h"

namespace nolens {

// Upper bounds that keep every product of sizes, in bytes, below 2^63; see validate().
inline constexpr std::int64_t kMaxLayers = 1024;
inline constexpr std::int64_t kMaxWidth = 65'536;        ///< hidden_size, mm_embed_dim
inline constexpr std::int64_t kMaxHeadsWidth = 131'072;  ///< num_attention_heads * head_dim
inline constexpr std::int64_t kMaxVocabSize = 4'194'304;
inline constexpr std::int64_t kMaxContext = std::int64_t{1} << 31;

TextConfig read_text_config(const JsonFields& fields, const LogSink& log);
VisionConfig read_vision_config(const JsonFields& fields);
AudioConfig read_audio_config(const JsonFields& fields);
/// `processor` is a processor_config.json (with "image_processor") or a preprocessor_config.json.
ImageProcessorConfig read_image_processor(const JsonFields& processor, const VisionConfig& vision,
                                          std::int64_t default_soft_tokens);
GenerationConfig read_generation_config(const JsonFields& fields);

/// Casts a token id. \throws Error{kModel} naming the field if it is no 32-bit id or negative.
TokenId read_token_id(const JsonFields& fields, std::string_view key, std::int64_t value);

}  // namespace nolens
