// The parts of config_reader: one function per document section. Each accepts the old and the new
// spelling and refuses what the engine does not compute, rather than run wrongly.
#pragma once

#include <cstdint>
#include <vector>

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

/// The decoder of the Gemma 4 Unified family (config_text.cpp).
TextConfig read_text_config(const JsonFields& fields, const LogSink& log);
/// The decoder of the Gemma 3 family (config_gemma3.cpp).
TextConfig read_gemma3_text_config(const JsonFields& fields);
/// "layer_types", or every `pattern`-th layer full if there is none; pattern >= 1.
std::vector<LayerType> read_layer_types(const JsonFields& fields, std::int64_t num_layers,
                                        std::int64_t pattern);
/// "hidden_activation", or "hidden_act" where only that is written.
Activation read_activation(const JsonFields& fields);
VisionConfig read_vision_config(const JsonFields& fields);
AudioConfig read_audio_config(const JsonFields& fields);
/// `processor` is a processor_config.json (with "image_processor") or a preprocessor_config.json.
ImageProcessorConfig read_image_processor(const JsonFields& processor, const VisionConfig& vision,
                                          std::int64_t default_soft_tokens);
/// Without a "video_processor" frames are scaled as pictures are.
VideoProcessorConfig read_video_processor(const JsonFields& processor, const VisionConfig& vision,
                                          const ImageProcessorConfig& image);
GenerationConfig read_generation_config(const JsonFields& fields);

/// Casts a token id. \throws Error{kModel} naming the field if it is no 32-bit id or negative.
TokenId read_token_id(const JsonFields& fields, std::string_view key, std::int64_t value);

}  // namespace nolens
