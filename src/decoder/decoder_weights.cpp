// Checkpoint names -> DecoderWeights.
#include "decoder/decoder_weights.h"

#include <string>

#include "formats/tensor_values.h"

namespace nolens {

DecoderWeights decoder_weights(const ModelConfig& config, const TensorStore& store) {
  const std::string root = "model.language_model.";
  DecoderWeights weights;
  weights.embed_tokens = weight_matrix(store, root + "embed_tokens.weight");
  weights.lm_head = config.text.tie_word_embeddings ? weights.embed_tokens
                                                    : weight_matrix(store, "lm_head.weight");
  weights.norm = float_values(store, root + "norm.weight");
  weights.layers.reserve(config.text.layers.size());
  for (std::size_t i = 0; i < config.text.layers.size(); ++i) {
    const std::string layer = root + "layers." + std::to_string(i) + ".";
    const auto norm = [&](const char* name) { return float_values(store, layer + name + ".weight"); };
    const auto proj = [&](const char* name) { return weight_matrix(store, layer + name + ".weight"); };
    LayerWeights& w = weights.layers.emplace_back();
    w.input_layernorm = norm("input_layernorm");
    w.post_attention_layernorm = norm("post_attention_layernorm");
    w.pre_feedforward_layernorm = norm("pre_feedforward_layernorm");
    w.post_feedforward_layernorm = norm("post_feedforward_layernorm");
    w.q_norm = norm("self_attn.q_norm");
    w.k_norm = norm("self_attn.k_norm");
    w.q_proj = proj("self_attn.q_proj");
    w.k_proj = proj("self_attn.k_proj");
    if (!config.text.layers[i].attention_k_eq_v) {
      w.v_proj = proj("self_attn.v_proj");
    }
    w.o_proj = proj("self_attn.o_proj");
    w.gate_proj = proj("mlp.gate_proj");
    w.up_proj = proj("mlp.up_proj");
    w.down_proj = proj("mlp.down_proj");
    w.layer_scalar = float_values(store, layer + "layer_scalar").at(0);
  }
  return weights;
}

}  // namespace nolens
