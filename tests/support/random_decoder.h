// A small decoder with random float32 weights in memory, for tests that need no files.
#pragma once

#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include "decoder/decoder_weights.h"
#include "nolens/config.h"

namespace nolens::testing {

/// Sliding, sliding, full: every kind of layer, shapes that are no multiples of a vector length.
inline TextConfig small_text_config() {
  TextConfig config;
  config.vocab_size = 101;
  config.hidden_size = 48;
  config.intermediate_size = 72;
  config.num_attention_heads = 4;
  config.sliding_window = 16;
  config.max_position_embeddings = 4096;
  config.final_logit_softcapping = 30.0F;
  config.rope_full = {.rope_type = RopeType::kProportional,
                      .rope_theta = 1e6,
                      .partial_rotary_factor = 0.25};
  const LayerConfig sliding{LayerType::kSlidingAttention, 16, 2, false};
  const LayerConfig full{LayerType::kFullAttention, 32, 1, true};
  config.layers = {sliding, sliding, full};
  config.num_hidden_layers = 3;
  return config;
}

class RandomDecoder {
 public:
  explicit RandomDecoder(TextConfig text_config, unsigned seed = 1)
      : config(std::move(text_config)), random_(seed) {
    const std::int64_t hidden = config.hidden_size;
    weights.embed_tokens = matrix(config.vocab_size, hidden);
    weights.lm_head = weights.embed_tokens;
    weights.norm = norm(hidden);
    for (const LayerConfig& layer : config.layers) {
      const std::int64_t queries = config.num_attention_heads * layer.head_dim;
      const std::int64_t keys = layer.num_key_value_heads * layer.head_dim;
      LayerWeights w;
      w.input_layernorm = norm(hidden);
      w.post_attention_layernorm = norm(hidden);
      w.pre_feedforward_layernorm = norm(hidden);
      w.post_feedforward_layernorm = norm(hidden);
      w.q_norm = norm(layer.head_dim);
      w.k_norm = norm(layer.head_dim);
      w.q_proj = matrix(queries, hidden);
      w.k_proj = matrix(keys, hidden);
      if (!layer.attention_k_eq_v) {
        w.v_proj = matrix(keys, hidden);
      }
      w.o_proj = matrix(hidden, queries);
      w.gate_proj = matrix(config.intermediate_size, hidden);
      w.up_proj = matrix(config.intermediate_size, hidden);
      w.down_proj = matrix(hidden, config.intermediate_size);
      w.layer_scalar = 0.8F;
      weights.layers.push_back(std::move(w));
    }
  }

  /// Standard normal values.   [rows, hidden_size]
  std::vector<float> rows(std::int64_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(count * config.hidden_size));
    for (float& value : values) {
      value = normal(random_);
    }
    return values;
  }

  TextConfig config;
  DecoderWeights weights;

 private:
  WeightMatrix matrix(std::int64_t rows, std::int64_t cols) {
    std::normal_distribution<float> normal(0.0F, 1.0F / std::sqrt(static_cast<float>(cols)));
    std::vector<float>& values = storage_.emplace_back(static_cast<std::size_t>(rows * cols));
    for (float& value : values) {
      value = normal(random_);
    }
    return {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, rows, cols};
  }
  std::vector<float> norm(std::int64_t size) {
    std::uniform_real_distribution<float> uniform(0.5F, 1.5F);
    std::vector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) {
      value = uniform(random_);
    }
    return values;
  }

  std::mt19937 random_;
  std::deque<std::vector<float>> storage_;
};

}  // namespace nolens::testing
