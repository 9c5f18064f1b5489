// Checkpoint names -> DecoderWeights.
#include "decoder/decoder_weights.h"

#include <string>

#include "formats/tensor_values.h"

namespace nolens {

namespace {

/// A norm weight as the decoder multiplies it; the sum is rounded to float32 as in the reference.
std::vector<float> norm_values(const TensorStore& store, const std::string& name, float offset) {
  std::vector<float> values = float_values(store, name);
  for (float& value : values) {
    value += offset;
  }
  return values;
}

}  // namespace

DecoderWeights decoder_weights(const ModelConfig& config, const TensorStore& store,
                               KeySource keys) {
  const std::string root = "model.language_model.";
  const float offset = config.text.norm_weight_offset;
  DecoderWeights weights;
  weights.embed_tokens = weight_matrix(store, root + "embed_tokens.weight");
  weights.lm_head = config.text.tie_word_embeddings ? weights.embed_tokens
                                                    : weight_matrix(store, "lm_head.weight");
  weights.norm = norm_values(store, root + "norm.weight", offset);
  weights.layers.reserve(config.text.layers.size());
  for (std::size_t i = 0; i < config.text.layers.size(); ++i) {
    const std::string layer = root + "layers." + std::to_string(i) + ".";
    const auto norm = [&](const char* name) {
      return norm_values(store, layer + name + ".weight", offset);
    };
    const auto proj = [&](const char* name) { return weight_matrix(store, layer + name + ".weight"); };
    LayerWeights& w = weights.layers.emplace_back();
    w.input_layernorm = norm("input_layernorm");
    w.post_attention_layernorm = norm("post_attention_layernorm");
    w.pre_feedforward_layernorm = norm("pre_feedforward_layernorm");
    w.post_feedforward_layernorm = norm("post_feedforward_layernorm");
    w.q_norm = norm("self_attn.q_norm");
    w.q_proj = proj("self_attn.q_proj");
    if (keys == KeySource::kOwn) {
      w.k_norm = norm("self_attn.k_norm");
      w.k_proj = proj("self_attn.k_proj");
      if (!config.text.layers[i].attention_k_eq_v) {
        w.v_proj = proj("self_attn.v_proj");
      }
    }
    w.o_proj = proj("self_attn.o_proj");
    w.gate_proj = proj("mlp.gate_proj");
    w.up_proj = proj("mlp.up_proj");
    w.down_proj = proj("mlp.down_proj");
    if (config.text.layer_scalar) {
      w.layer_scalar = float_values(store, layer + "layer_scalar").at(0);
    }
  }
  return weights;
}

}  // namespace nolens
