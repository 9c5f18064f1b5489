// The forward pass.
#include "decoder/decoder.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "decoder/rope_table.h"

namespace nolens {

namespace {

constexpr std::span<const float> kNoWeight{};
constexpr std::span<const float> kNoBias{};

}  // namespace

Decoder::Decoder(const TextConfig& config, const DecoderWeights& weights, Kernels& kernels)
    : config_(config),
      weights_(weights),
      kernels_(kernels),
      activations_(config, weights, kernels) {
  for (const LayerConfig& layer : config.layers) {
    TypeState& state = type_state(layer.type);
    if (!state.used) {
      state.frequencies = rope_frequencies(config.rope(layer.type), layer.head_dim);
      state.pairs = layer.head_dim / 2;
      state.used = true;
    }
    // One table serves all layers of a type: validate() allows one head_dim per type only.
    NOLENS_CHECK(state.pairs == layer.head_dim / 2);
  }
}

void Decoder::prepare(std::span<const StepSequence> sequences, std::int64_t rows) {
  sequences_ = sequences;
  positions_.clear();
  for (const StepSequence& sequence : sequences) {
    for (std::int64_t i = 0; i < sequence.row_count; ++i) {
      positions_.push_back(sequence.cache->end() + i);
    }
  }
  NOLENS_CHECK(static_cast<std::int64_t>(positions_.size()) == rows);
  activations_.resize(rows);
  for (const LayerType type : {LayerType::kSlidingAttention, LayerType::kFullAttention}) {
    TypeState& state = type_state(type);
    if (!state.used) {
      continue;
    }
    if (state.cos.size() < rows * state.pairs) {
      state.cos = AlignedBuffer<float>(rows * state.pairs);
      state.sin = AlignedBuffer<float>(rows * state.pairs);
    }
    fill_rope_table(state.frequencies, positions_, {state.cos.data(), rows, state.pairs},
                    {state.sin.data(), rows, state.pairs});
    state.visible.first.clear();
    state.visible.last.clear();
    for (const StepSequence& sequence : sequences) {
      const std::int64_t begin = sequence.cache->end();
      append_visibility(type, sequence.mask_rule, config_.sliding_window, sequence.blocks, begin,
                        begin + sequence.row_count, state.visible);
      if (sequence.borrows()) {
        NOLENS_CHECK(sequence.row_count == 1 && begin > 0);
        state.visible.last.back() = begin - 1;
        state.visible.first.back() = std::min(state.visible.first.back(), begin - 1);
      }
    }
  }
}

/// x += post_attention_layernorm(o_proj(attention(q, k, v))), all from input_layernorm(x).  x [T, D]
void Decoder::attention_block(std::size_t layer, Matrix x) {
  const LayerConfig& shape = config_.layers[layer];
  const LayerWeights& w = weights_.layers[layer];
  TypeState& state = type_state(shape.type);
  const std::int64_t heads = config_.num_attention_heads;
  const float eps = config_.rms_norm_eps;
  const ConstMatrix cos{state.cos.data(), x.rows, state.pairs};
  const ConstMatrix sin{state.sin.data(), x.rows, state.pairs};
  const Matrix q = activations_.q(heads * shape.head_dim);
  const Matrix attended = activations_.attended(heads * shape.head_dim);

  const Matrix k = activations_.k(shape.num_key_value_heads * shape.head_dim);
  const Matrix v = activations_.v(shape.num_key_value_heads * shape.head_dim);
  const std::array<LinearPart, 3> parts = {
      {{w.q_proj, kNoBias, q}, {w.k_proj, kNoBias, k}, {w.v_proj, kNoBias, v}}};
  const bool borrows = w.k_proj.empty();
  const std::size_t count = borrows ? 1 : shape.attention_k_eq_v ? 2 : 3;
  kernels_.normed_linear(x, {w.input_layernorm, eps}, {parts.data(), count}, activations_.branch);
  if (!borrows) {
    store_keys_and_values(layer, cos, sin);
  }
  kernels_.rms_norm_heads(q, heads, w.q_norm, eps, q);
  kernels_.rope(cos, sin, heads, q);
  kernels_.attention({.q = q,
                      .sequences = slices_,
                      .first_visible = state.visible.first,
                      .last_visible = state.visible.last,
                      .num_attention_heads = heads,
                      .num_key_value_heads = shape.num_key_value_heads,
                      .head_dim = shape.head_dim,
                      .scale = config_.attention_scale},
                     attended);
  kernels_.linear(attended, w.o_proj, kNoBias, activations_.branch);
  kernels_.add_rms_norm(activations_.branch, {w.post_attention_layernorm, eps}, 1.0F, x);
}

/// Norms, rotation and the cache, of the projections in activations_.
void Decoder::store_keys_and_values(std::size_t layer, ConstMatrix cos, ConstMatrix sin) {
  const LayerConfig& shape = config_.layers[layer];
  const std::int64_t heads = shape.num_key_value_heads;
  const float eps = config_.rms_norm_eps;
  const Matrix k = activations_.k(heads * shape.head_dim);
  const Matrix v = activations_.v(heads * shape.head_dim);
  // Where K and V share a projection, V is its raw output: before k_norm and before the rotation.
  const ConstMatrix raw_v = shape.attention_k_eq_v ? k : v;
  if (config_.value_norm) {
    kernels_.rms_norm_heads(raw_v, heads, kNoWeight, eps, v);
  } else if (shape.attention_k_eq_v) {
    std::copy_n(k.data, k.rows * k.cols, v.data);
  }
  kernels_.rms_norm_heads(k, heads, weights_.layers[layer].k_norm, eps, k);
  kernels_.rope(cos, sin, heads, k);
  kernels_.store_kv(k, v, slices_);
}

/// x += post_feedforward_layernorm(down(act(gate(h)) * up(h))), h = pre_feedforward_layernorm(x);
/// then x *= layer_scalar where the model has one.  x [T, D]
void Decoder::mlp_block(std::size_t layer, Matrix x) {
  const LayerWeights& w = weights_.layers[layer];
  const float eps = config_.rms_norm_eps;
  const GatedMlp mlp{w.gate_proj, w.up_proj, w.down_proj, config_.hidden_activation};
  kernels_.mlp(x, {w.pre_feedforward_layernorm, eps}, mlp, activations_.hidden, activations_.branch);
  const float factor = config_.layer_scalar ? w.layer_scalar : 1.0F;
  kernels_.add_rms_norm(activations_.branch, {w.post_feedforward_layernorm, eps}, factor, x);
}

void Decoder::forward(std::span<const StepSequence> sequences, Matrix x,
                      const LayerObserver& observer, LayerRange layers) {
  forward_layers(sequences, x, layers, observer);
  finish(sequences);
}

void Decoder::forward_layers(std::span<const StepSequence> sequences, Matrix x, LayerRange layers,
                             const LayerObserver& observer) {
  prepare(sequences, x.rows);
  const std::size_t end = std::min(layers.end, config_.layers.size());
  for (std::size_t layer = layers.begin; layer < end; ++layer) {
    slices_.clear();
    std::int64_t first_row = 0;
    for (const StepSequence& sequence : sequences) {
      const std::size_t source = sequence.borrows() ? sequence.borrowed_layers[layer] : layer;
      slices_.push_back({.kv = sequence.cache->view(source),
                         .first_row = first_row,
                         .row_count = sequence.row_count,
                         .first_position = sequence.cache->end()});
      first_row += sequence.row_count;
    }
    attention_block(layer, x);
    mlp_block(layer, x);
    if (observer) {
      observer(layer, x);
    }
  }
}

void Decoder::finish(std::span<const StepSequence> sequences) {
  for (const StepSequence& sequence : sequences) {
    if (!sequence.borrows()) {
      sequence.cache->advance(sequence.row_count);
    }
  }
}

void Decoder::final_norm(Matrix x) {
  kernels_.rms_norm(x, weights_.norm, config_.rms_norm_eps, x);
}

void Decoder::lm_head(Matrix x, Matrix logits) {
  final_norm(x);
  kernels_.linear(x, weights_.lm_head, kNoBias, logits);
  if (config_.final_logit_softcapping > 0.0F) {
    kernels_.softcap(config_.final_logit_softcapping, logits);
  }
}

}  // namespace nolens
