// text_config: the decoder. Defaults are those of Hugging Face's Gemma4UnifiedTextConfig, because
// configs saved by that library may leave out what equals the default.
#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "core/escape.h"
#include "formats/config_parts.h"

namespace nolens {
namespace {

constexpr std::int64_t kDefaultHeadDim = 256;
constexpr std::int64_t kDefaultGlobalHeadDim = 512;
constexpr std::int64_t kDefaultPattern = 6;  // every sixth layer is full

/// Architecture options that change the result and that this engine does not compute.
void refuse_unsupported(const JsonFields& fields) {
  struct Switch {
    const char* key;
    const char* meaning;
  };
  constexpr Switch kSwitches[] = {
      {"enable_moe_block", "mixture-of-experts blocks are not supported"},
      {"use_double_wide_mlp", "double-wide feed-forward blocks are not supported"},
      {"attention_bias", "biases in the attention projections are not supported"},
      {"mlp_bias", "biases in the feed-forward block are not supported"},
  };
  for (const Switch& option : kSwitches) {
    if (fields.boolean(option.key).value_or(false)) {
      fields.fail(option.key, std::string("is true; ") + option.meaning);
    }
  }
  constexpr Switch kCounts[] = {
      {"num_experts", "mixture-of-experts blocks are not supported"},
      {"hidden_size_per_layer_input", "per-layer embeddings are not supported"},
      {"num_kv_shared_layers", "layers that share keys and values are not supported"},
  };
  for (const Switch& option : kCounts) {
    if (const auto count = fields.integer(option.key).value_or(0); count != 0) {
      fields.fail(option.key, "is " + std::to_string(count) + "; " + option.meaning);
    }
  }
  if (fields.number("attn_logit_softcapping").value_or(0.0) != 0.0) {
    fields.fail("attn_logit_softcapping", "is set; soft-capped attention is not supported");
  }
  for (const char* old_key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    if (fields.has(old_key) && !fields.has("rope_parameters")) {
      fields.fail(old_key, "is not read for this model type; write rope_parameters instead");
    }
  }
}

/// The last layer always attends to everything, whatever the file says.
std::vector<LayerType> layer_types_with_full_end(const JsonFields& fields, std::int64_t num_layers,
                                                 const LogSink& log) {
  std::vector<LayerType> types = read_layer_types(fields, num_layers, kDefaultPattern);
  if (types.back() != LayerType::kFullAttention) {
    types.back() = LayerType::kFullAttention;
    if (log) {
      log(LogLevel::kWarning,
          "the last layer must use full attention; taken as full_attention although the "
          "configuration says otherwise");
    }
  }
  return types;
}

/// Spelling of newer versions: {"5": {"head_dim": 512, "num_key_value_heads": 1}}.
void apply_per_layer_config(const JsonFields& overrides, std::vector<LayerConfig>& layers) {
  for (const auto& [key, ignored] : overrides.members()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= layers.size()) {
      overrides.fail(key, "is no layer; expected 0 to " + std::to_string(layers.size() - 1));
    }
    const auto layer = overrides.object(key);
    if (!layer) {
      continue;
    }
    for (const auto& [name, value] : layer->members()) {
      if (name != "head_dim" && name != "num_key_value_heads") {
        layer->fail(name,
                    "cannot differ from layer to layer here; only head_dim and "
                    "num_key_value_heads can");
      }
    }
    layers[index].head_dim = layer->integer("head_dim").value_or(layers[index].head_dim);
    layers[index].num_key_value_heads =
        layer->integer("num_key_value_heads").value_or(layers[index].num_key_value_heads);
  }
}

std::vector<LayerConfig> read_layers(const JsonFields& fields, std::int64_t num_layers,
                                     const LogSink& log) {
  const bool k_eq_v = fields.boolean("attention_k_eq_v").value_or(false);
  const LayerConfig common{
      .type = LayerType::kSlidingAttention,
      .head_dim = fields.integer("head_dim").value_or(kDefaultHeadDim),
      .num_key_value_heads = fields.integer("num_key_value_heads").value_or(4),
      .attention_k_eq_v = false,
  };
  const auto overrides = fields.object("per_layer_config");
  const std::int64_t global_head_dim =
      overrides ? common.head_dim
                : fields.integer("global_head_dim").value_or(kDefaultGlobalHeadDim);
  // The separate count of the full layers applies only together with attention_k_eq_v.
  const std::int64_t global_kv_heads =
      overrides || !k_eq_v
          ? common.num_key_value_heads
          : fields.integer("num_global_key_value_heads").value_or(common.num_key_value_heads);
  std::vector<LayerConfig> layers;
  for (const LayerType type : layer_types_with_full_end(fields, num_layers, log)) {
    LayerConfig layer = common;
    layer.type = type;
    if (type == LayerType::kFullAttention) {
      layer.head_dim = global_head_dim;
      layer.num_key_value_heads = global_kv_heads;
      layer.attention_k_eq_v = k_eq_v;
    }
    layers.push_back(layer);
  }
  if (overrides) {
    apply_per_layer_config(*overrides, layers);
  }
  return layers;
}

RopeParameters read_rope(const JsonFields& rope) {
  RopeParameters parameters;
  const std::string type = rope.text("rope_type").value_or("default");
  if (type != "default" && type != "proportional") {
    rope.fail_value("rope_type", "\"default\" or \"proportional\"");
  }
  parameters.rope_theta = rope.number("rope_theta").value_or(parameters.rope_theta);
  // The default kind has neither option: the original library ignores them there.
  if (type == "proportional") {
    parameters.rope_type = RopeType::kProportional;
    parameters.partial_rotary_factor = rope.number("partial_rotary_factor").value_or(1.0);
    parameters.factor = rope.number("factor").value_or(1.0);
  }
  return parameters;
}

void read_ropes(const JsonFields& fields, TextConfig& text) {
  text.rope_sliding = {};
  text.rope_full = {RopeType::kProportional, 1'000'000.0, 0.25, 1.0};
  const auto parameters = fields.object("rope_parameters");
  if (!parameters) {
    return;
  }
  const auto read_for = [&](LayerType type, const char* key, RopeParameters& rope) {
    const bool is_used = std::any_of(text.layers.begin(), text.layers.end(),
                                     [&](const LayerConfig& layer) { return layer.type == type; });
    if (const auto found = parameters->object(key); found) {
      rope = read_rope(*found);
    } else if (is_used) {
      parameters->fail(key, "is missing, although there are layers of that type");
    }
  };
  read_for(LayerType::kSlidingAttention, "sliding_attention", text.rope_sliding);
  read_for(LayerType::kFullAttention, "full_attention", text.rope_full);
}

bool read_bidirectional_vision(const JsonFields& fields) {
  constexpr const char* kKey = "use_bidirectional_attention";
  const bool is_present = fields.members().contains(kKey);
  const std::string kind = fields.text(kKey).value_or(is_present ? "none" : "vision");
  if (fields.has(kKey) && kind != "vision") {
    fields.fail_value(kKey,
                      "\"vision\" or null; a decoder whose text sees the future is not "
                      "supported");
  }
  return kind == "vision";
}

}  // namespace

std::vector<LayerType> read_layer_types(const JsonFields& fields, std::int64_t num_layers,
                                        std::int64_t pattern) {
  std::vector<LayerType> types;
  const Json* list = fields.find("layer_types");
  if (list == nullptr) {
    for (std::int64_t i = 0; i < num_layers; ++i) {
      types.push_back((i + 1) % pattern != 0 ? LayerType::kSlidingAttention
                                             : LayerType::kFullAttention);
    }
    return types;
  }
  if (!list->is_array() || static_cast<std::int64_t>(list->size()) != num_layers) {
    fields.fail("layer_types", "must be a list of " + std::to_string(num_layers) +
                                   " entries, one per layer (num_hidden_layers)");
  }
  for (const Json& entry : *list) {
    const auto* type = entry.get_ptr<const std::string*>();
    if (type != nullptr && *type == "sliding_attention") {
      types.push_back(LayerType::kSlidingAttention);
    } else if (type != nullptr && *type == "full_attention") {
      types.push_back(LayerType::kFullAttention);
    } else {
      fields.fail(
          "layer_types",
          "entry " + std::to_string(types.size()) +
              " must be \"sliding_attention\" or \"full_attention\", found " +
              escape_for_message(entry.dump(-1, ' ', true, Json::error_handler_t::replace), 60));
    }
  }
  return types;
}

Activation read_activation(const JsonFields& fields) {
  const char* key = fields.has("hidden_activation") || !fields.has("hidden_act")
                        ? "hidden_activation"
                        : "hidden_act";
  const std::string name = fields.text(key).value_or("gelu_pytorch_tanh");
  if (name == "gelu_pytorch_tanh") {
    return Activation::kGeluTanh;
  }
  if (name != "silu") {
    fields.fail_value(key, "\"gelu_pytorch_tanh\" or \"silu\"");
  }
  return Activation::kSilu;
}

TextConfig read_text_config(const JsonFields& fields, const LogSink& log) {
  refuse_unsupported(fields);
  TextConfig text;
  text.vocab_size = fields.integer("vocab_size").value_or(262'144);
  text.hidden_size = fields.integer("hidden_size").value_or(2304);
  text.intermediate_size = fields.integer("intermediate_size").value_or(9216);
  text.num_hidden_layers = fields.integer("num_hidden_layers").value_or(30);
  text.num_attention_heads = fields.integer("num_attention_heads").value_or(8);
  if (text.num_hidden_layers < 1 || text.num_hidden_layers > kMaxLayers) {
    fields.fail_value("num_hidden_layers", "1 to " + std::to_string(kMaxLayers));
  }
  text.layers = read_layers(fields, text.num_hidden_layers, log);
  read_ropes(fields, text);
  text.sliding_window = fields.integer("sliding_window").value_or(1024);
  text.max_position_embeddings = fields.integer("max_position_embeddings").value_or(262'144);
  text.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(1e-6));
  text.final_logit_softcapping =
      static_cast<float>(fields.number("final_logit_softcapping").value_or(0.0));
  text.hidden_activation = read_activation(fields);
  text.tie_word_embeddings = fields.boolean("tie_word_embeddings").value_or(true);
  text.bidirectional_vision = read_bidirectional_vision(fields);
  return text;
}

}  // namespace nolens
