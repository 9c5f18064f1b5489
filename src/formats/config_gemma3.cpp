// text_config of Gemma 3: other defaults, other spellings of the rotary embedding, and a decoder
// that differs from Gemma 4's in four places, which TextConfig holds as data. Defaults are those of
// Hugging Face's Gemma3TextConfig; released files leave out what equals them.
#include <cmath>
#include <string>

#include "formats/config_parts.h"

namespace nolens {
namespace {

constexpr std::int64_t kDefaultPattern = 6;  // every sixth layer is full
constexpr double kDefaultGlobalTheta = 1'000'000.0;
constexpr double kDefaultLocalTheta = 10'000.0;
constexpr const char* kLinear = "linear";

/// Architecture options that change the result and that this engine does not compute.
void refuse_unsupported(const JsonFields& fields) {
  if (fields.boolean("attention_bias").value_or(false)) {
    fields.fail("attention_bias", "is true; biases in the attention projections are not supported");
  }
  if (fields.number("attn_logit_softcapping").value_or(0.0) != 0.0) {
    fields.fail("attn_logit_softcapping", "is set; soft-capped attention is not supported");
  }
  if (fields.boolean("use_bidirectional_attention").value_or(false)) {
    fields.fail("use_bidirectional_attention",
                "is true; a decoder whose text sees the future is not supported");
  }
}

/// Newer files say sliding_window_pattern, some _sliding_window_pattern, most list layer_types.
std::int64_t read_pattern(const JsonFields& fields) {
  const char* key =
      fields.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
  const std::int64_t pattern = fields.integer(key).value_or(kDefaultPattern);
  if (pattern < 1 || pattern > kMaxLayers) {
    fields.fail_value(key, "1 to " + std::to_string(kMaxLayers));
  }
  return pattern;
}

/// Overwrites what the object names. Linear scaling divides every frequency by "factor".
void apply_rope(const JsonFields& rope, RopeParameters& parameters) {
  const char* key = rope.has("rope_type") || !rope.has("type") ? "rope_type" : "type";
  const std::string type = rope.text(key).value_or("default");
  if (type != "default" && type != kLinear) {
    rope.fail_value(key, "\"default\" or \"linear\"");
  }
  parameters.rope_theta = rope.number("rope_theta").value_or(parameters.rope_theta);
  parameters.factor = 1.0;
  if (type == kLinear) {
    if (!rope.has("factor")) {
      rope.fail("factor", "is missing, although the frequencies are scaled (rope_type \"linear\")");
    }
    parameters.factor = *rope.number("factor");
  }
}

/// Old spelling: rope_theta, rope_local_base_freq and rope_scaling, which is for the full layers
/// only. New spelling: rope_parameters with one object per layer type. A file may mix them.
void read_ropes(const JsonFields& fields, TextConfig& text) {
  text.rope_full.rope_theta = fields.number("rope_theta").value_or(kDefaultGlobalTheta);
  text.rope_sliding.rope_theta = fields.number("rope_local_base_freq").value_or(kDefaultLocalTheta);
  if (const auto parameters = fields.object("rope_parameters"); parameters) {
    for (const auto& [key, value] : parameters->members()) {
      if (key != "full_attention" && key != "sliding_attention") {
        parameters->fail(key, "cannot stand here; expected full_attention and sliding_attention");
      }
    }
    if (const auto full = parameters->object("full_attention"); full) {
      apply_rope(*full, text.rope_full);
    }
    if (const auto sliding = parameters->object("sliding_attention"); sliding) {
      apply_rope(*sliding, text.rope_sliding);
    }
  }
  if (const auto scaling = fields.object("rope_scaling"); scaling) {
    apply_rope(*scaling, text.rope_full);
  }
}

}  // namespace

TextConfig read_gemma3_text_config(const JsonFields& fields) {
  refuse_unsupported(fields);
  TextConfig text;
  text.vocab_size = fields.integer("vocab_size").value_or(262'208);
  text.hidden_size = fields.integer("hidden_size").value_or(2304);
  text.intermediate_size = fields.integer("intermediate_size").value_or(9216);
  text.num_hidden_layers = fields.integer("num_hidden_layers").value_or(26);
  text.num_attention_heads = fields.integer("num_attention_heads").value_or(8);
  if (text.num_hidden_layers < 1 || text.num_hidden_layers > kMaxLayers) {
    fields.fail_value("num_hidden_layers", "1 to " + std::to_string(kMaxLayers));
  }
  const LayerConfig common{
      .type = LayerType::kSlidingAttention,
      .head_dim = fields.integer("head_dim").value_or(256),
      .num_key_value_heads = fields.integer("num_key_value_heads").value_or(4),
      .attention_k_eq_v = false,
  };
  for (const LayerType type :
       read_layer_types(fields, text.num_hidden_layers, read_pattern(fields))) {
    text.layers.push_back(common);
    text.layers.back().type = type;
  }
  read_ropes(fields, text);
  text.sliding_window = fields.integer("sliding_window").value_or(4096);
  text.max_position_embeddings = fields.integer("max_position_embeddings").value_or(131'072);
  text.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(1e-6));
  text.final_logit_softcapping =
      static_cast<float>(fields.number("final_logit_softcapping").value_or(0.0));
  text.hidden_activation = read_activation(fields);
  text.tie_word_embeddings = fields.boolean("tie_word_embeddings").value_or(true);
  text.bidirectional_vision = false;
  text.norm_weight_offset = 1.0F;
  text.value_norm = false;
  text.attention_scale =
      static_cast<float>(1.0 / std::sqrt(fields.number("query_pre_attn_scalar").value_or(256.0)));
  text.layer_scalar = false;
  return text;
}

}  // namespace nolens
