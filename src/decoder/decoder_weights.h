// Every weight of the decoder by its checkpoint name, with its shape.
//
// D hidden_size, H num_attention_heads, S head_dim and G num_key_value_heads of the layer,
// F intermediate_size, V vocab_size.
#pragma once

#include <vector>

#include "core/matrix.h"
#include "formats/tensor_specs.h"
#include "formats/tensor_store.h"
#include "nolens/config.h"

namespace nolens {

struct LayerWeights {
  std::vector<float> input_layernorm;             ///< [D]
  std::vector<float> post_attention_layernorm;    ///< [D]
  std::vector<float> pre_feedforward_layernorm;   ///< [D]
  std::vector<float> post_feedforward_layernorm;  ///< [D]
  std::vector<float> q_norm;                      ///< [S]
  std::vector<float> k_norm;                      ///< [S], empty if keys are borrowed
  WeightMatrix q_proj;                            ///< [H*S, D]
  WeightMatrix k_proj;                            ///< [G*S, D], empty if keys are borrowed
  WeightMatrix v_proj;                            ///< as k_proj; empty if attention_k_eq_v
  WeightMatrix o_proj;                            ///< [D, H*S]
  WeightMatrix gate_proj;                         ///< [F, D]
  WeightMatrix up_proj;                           ///< [F, D]
  WeightMatrix down_proj;                         ///< [D, F]
  float layer_scalar = 1.0F;                      ///< multiplies the residual stream
};

struct DecoderWeights {
  WeightMatrix embed_tokens;  ///< [V, D]
  WeightMatrix lm_head;       ///< [V, D], the same as embed_tokens if tied
  std::vector<float> norm;    ///< [D]
  std::vector<LayerWeights> layers;
};

/// Views into `store`, which must outlive the result; shapes were checked by check_tensors().
DecoderWeights decoder_weights(const ModelConfig& config, const TensorStore& store,
                               KeySource keys = KeySource::kOwn);

}  // namespace nolens
