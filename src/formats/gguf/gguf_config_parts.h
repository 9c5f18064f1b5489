// The parts of gguf_config.
#pragma once

#include <span>
#include <string_view>

#include "nolens/config.h"

#include "formats/gguf/gguf_fields.h"
#include "formats/gguf/gguf_set.h"

namespace nolens {

/// What an architecture's keys say, before it becomes a TextConfig.
struct GgufText {
  std::int64_t block_count = 0;
  std::int64_t context_length = 0;
  std::int64_t embedding_length = 0;
  std::int64_t head_count = 0;
  std::int64_t key_length = 0, value_length = 0;          ///< of the full layers
  std::int64_t key_length_swa = 0, value_length_swa = 0;  ///< of the sliding layers; 0 = the same
  std::int64_t rope_dimensions = 0, rope_dimensions_swa = 0;  ///< 0 = the whole head
  std::int64_t sliding_window = 0;
  std::int64_t shared_kv_layers = 0;
  std::int64_t per_layer_input = 0;
  std::int64_t expert_count = 0;
  double rms_eps = 0.0;
  double final_softcap = 0.0;
  double attention_softcap = 0.0;
  double rope_base = 0.0, rope_base_swa = 0.0;
  double rope_factor = 1.0;                 ///< of the full layers
  std::vector<std::int64_t> head_count_kv;  ///< [block_count]
  std::vector<std::int64_t> is_sliding;     ///< [block_count] 0 or 1
};

struct GgufArchitecture {
  std::string_view name;
  std::string_view text_type;        ///< model_type of the language model alone
  std::string_view multimodal_type;  ///< model_type with embedders; "" = they are not supported
  std::span<const GgufIntegerRule<GgufText>> integers;
  std::span<const GgufRealRule<GgufText>> reals;
  std::int64_t sliding_period;  ///< every so manieth layer is full where the file has no pattern; 0
                                ///< = it must
  std::span<const std::string_view> end_tokens;  ///< each ends an answer, whatever the eos key says
  /// What the keys do not say.
  void (*finish)(const GgufSet& set, const GgufText& keys, TextConfig& text);
};

/// \throws Error{kModel} naming the supported ones
const GgufArchitecture& gguf_architecture(const GgufFile& file);

/// The decoder.
TextConfig read_gguf_text(const GgufSet& set, const GgufArchitecture& architecture);

/// Embedders of pictures and sound. config.text must be complete.
void read_mmproj(const GgufSet& mmproj, ModelConfig& config);

}  // namespace nolens
