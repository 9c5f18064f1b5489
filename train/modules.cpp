#include "modules.h"

#include <cmath>
#include <utility>
#include <vector>

#include "nolens/error.h"

namespace nolens::train {
namespace {

using at::Tensor;

const std::string kTextPrefix = "model.language_model.";

std::string layer_prefix(std::int64_t index) {
  return kTextPrefix + "layers." + std::to_string(index) + ".";
}

/// Cosines and sines for positions 0…max-1, in float32 as the reference computes them.
RotaryTable rotary_table(const RopeParameters& rope, std::int64_t head_dim, std::int64_t positions,
                         at::Device device) {
  const std::int64_t half = head_dim / 2;
  std::int64_t turning = half;
  if (rope.rope_type == RopeType::kProportional) {
    turning =
        static_cast<std::int64_t>(rope.partial_rotary_factor * static_cast<double>(head_dim)) / 2;
  }
  const Tensor exponents = at::arange(half, at::kFloat) * 2.0 / static_cast<double>(head_dim);
  Tensor frequencies = 1.0 / at::pow(at::Scalar(rope.rope_theta), exponents).to(at::kFloat);
  frequencies.narrow(0, turning, half - turning).zero_();
  frequencies = frequencies / rope.factor;
  const Tensor angles = at::outer(at::arange(positions, at::kFloat), frequencies);
  return {angles.cos().to(device).contiguous(), angles.sin().to(device).contiguous()};
}

std::int64_t head_dim_of(const TextConfig& text, LayerType type) {
  for (const LayerConfig& layer : text.layers) {
    if (layer.type == type) {
      return layer.head_dim;
    }
  }
  return 2;
}

}  // namespace

std::vector<ParameterSpec> parameter_specs(const ModelConfig& config, const HeadOptions& heads) {
  const TextConfig& text = config.text;
  if (!text.tie_word_embeddings || text.hidden_activation != Activation::kGeluTanh) {
    throw Error(
        ErrorCode::kUsage,
        "the trainer needs tied embeddings and the gelu_pytorch_tanh activation, which this "
        "model's config.json does not have");
  }
  if (text.norm_weight_offset != 0.0F || !text.value_norm || text.attention_scale != 1.0F ||
      !text.layer_scalar) {
    throw Error(ErrorCode::kUsage,
                "the trainer computes the decoder of Gemma 4 Unified only, and this model's "
                "config.json describes another one");
  }
  const std::int64_t width = text.hidden_size;
  const std::int64_t depth = text.num_hidden_layers;
  std::vector<ParameterSpec> specs;
  const auto matrix = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    specs.push_back({name, {out, in}, 1.0 / std::sqrt(static_cast<double>(in)), 0.0, true, true});
  };
  const auto vector = [&](const std::string& name, std::int64_t size, double value) {
    specs.push_back({name, {size}, 0.0, value, false, true});
  };
  matrix(kTextPrefix + "embed_tokens.weight", text.vocab_size, width);
  // Rows of unit size after the embedding scale sqrt(width).
  specs.back().decay = false;
  for (std::int64_t i = 0; i < depth; ++i) {
    const LayerConfig& layer = text.layers[static_cast<std::size_t>(i)];
    const std::string name = layer_prefix(i);
    const double branch_start = 1.0 / std::sqrt(2.0 * static_cast<double>(depth));
    // Scale 1: heads of norm sqrt(head_dim) would start with saturated softmaxes.
    const double head_start = std::pow(static_cast<double>(layer.head_dim), -0.25);
    matrix(name + "self_attn.q_proj.weight", text.num_attention_heads * layer.head_dim, width);
    matrix(name + "self_attn.k_proj.weight", layer.num_key_value_heads * layer.head_dim, width);
    if (!layer.attention_k_eq_v) {
      matrix(name + "self_attn.v_proj.weight", layer.num_key_value_heads * layer.head_dim, width);
    }
    matrix(name + "self_attn.o_proj.weight", width, text.num_attention_heads * layer.head_dim);
    matrix(name + "mlp.gate_proj.weight", text.intermediate_size, width);
    matrix(name + "mlp.up_proj.weight", text.intermediate_size, width);
    matrix(name + "mlp.down_proj.weight", width, text.intermediate_size);
    vector(name + "self_attn.q_norm.weight", layer.head_dim, head_start);
    vector(name + "self_attn.k_norm.weight", layer.head_dim, head_start);
    vector(name + "input_layernorm.weight", width, 1.0);
    vector(name + "post_attention_layernorm.weight", width, branch_start);
    vector(name + "pre_feedforward_layernorm.weight", width, 1.0);
    vector(name + "post_feedforward_layernorm.weight", width, branch_start);
    vector(name + "layer_scalar", 1, 1.0);
  }
  vector(kTextPrefix + "norm.weight", width, 1.0);

  if (config.vision.has_value()) {
    const VisionConfig& vision = *config.vision;
    if (!vision.patch_ln1 || !vision.patch_ln2 || !vision.patch_bias || !vision.pos_norm ||
        !vision.embedding_projection || vision.position_embedding != PositionEmbedding::kLearned) {
      throw Error(ErrorCode::kUsage,
                  "the trainer knows the complete gemma4_unified patch embedder only; this model "
                  "leaves a step out");
    }
    const std::string name = "model.vision_embedder.";
    vector(name + "patch_ln1.weight", vision.patch_values(), 1.0);
    vector(name + "patch_ln1.bias", vision.patch_values(), 0.0);
    matrix(name + "patch_dense.weight", vision.mm_embed_dim, vision.patch_values());
    vector(name + "patch_dense.bias", vision.mm_embed_dim, 0.0);
    vector(name + "patch_ln2.weight", vision.mm_embed_dim, 1.0);
    vector(name + "patch_ln2.bias", vision.mm_embed_dim, 0.0);
    specs.push_back({name + "pos_embedding",
                     {vision.mm_posemb_size, 2, vision.mm_embed_dim},
                     0.3,
                     0.0,
                     false,
                     true});
    vector(name + "pos_norm.weight", vision.mm_embed_dim, 1.0);
    vector(name + "pos_norm.bias", vision.mm_embed_dim, 0.0);
    matrix("model.embed_vision.embedding_projection.weight", width, vision.mm_embed_dim);
  }

  const auto helper = [&](const std::string& name, std::vector<std::int64_t> shape,
                          double deviation, double mean, bool decay) {
    specs.push_back({"train." + name, std::move(shape), deviation, mean, decay, false});
  };
  const double helper_start = 1.0 / std::sqrt(static_cast<double>(width));
  if (heads.scaffold) {
    helper("scaffold.weight", {3 + 8 + 2, width}, helper_start, 0.0, true);
    helper("scaffold.bias", {3 + 8 + 2}, 0.0, 0.0, false);
  }
  if (heads.contrastive) {
    helper("contrastive.image", {heads.contrastive_width, width}, helper_start, 0.0, true);
    helper("contrastive.text", {heads.contrastive_width, width}, helper_start, 0.0, true);
    helper("contrastive.log_scale", {1}, 0.0, std::log(10.0), false);
    helper("contrastive.bias", {1}, 0.0, -3.0, false);
  }
  return specs;
}

/// One of the two row sets of a batch.
struct Decoder::Stream {
  Tensor x;          ///< [batch * rows, hidden]
  Tensor positions;  ///< int32 [batch * rows]
  std::int64_t rows = 0;
};

Decoder::Decoder(const ModelConfig& config, const ParameterSet& parameters, bool bf16)
    : config_(config), parameters_(parameters), bf16_(bf16) {
  const TextConfig& text = config.text;
  const at::Device device = parameters.values().device();
  const std::int64_t positions = text.max_position_embeddings;
  sliding_table_ = rotary_table(text.rope_sliding, head_dim_of(text, LayerType::kSlidingAttention),
                                positions, device);
  full_table_ =
      rotary_table(text.rope_full, head_dim_of(text, LayerType::kFullAttention), positions, device);
}

const Tensor& Decoder::weight(const std::string& name) const {
  return parameters_.get(name + ".weight");
}

Tensor Decoder::embed_tokens(const Tensor& ids) const {
  const double scale = std::sqrt(static_cast<double>(config_.text.hidden_size));
  return at::embedding(weight(kTextPrefix + "embed_tokens"), ids) * scale;
}

Tensor Decoder::embed_patches(const Batch& batch) const {
  const VisionConfig& vision = config_.vision.value();
  const std::string name = "model.vision_embedder.";
  constexpr double kLayerNormEps = 1e-5;
  const auto layer_norm = [&](const Tensor& x, const std::string& part) {
    return at::layer_norm(x, {x.size(1)}, weight(name + part),
                          parameters_.get(name + part + ".bias"), kLayerNormEps);
  };
  Tensor u = layer_norm(batch.patches, "patch_ln1");
  u = at::addmm(parameters_.get(name + "patch_dense.bias"), u, weight(name + "patch_dense").t());
  u = layer_norm(u, "patch_ln2");
  const Tensor& table = parameters_.get(name + "pos_embedding");
  u = u + table.select(1, 0).index_select(0, batch.patch_x) +
      table.select(1, 1).index_select(0, batch.patch_y);
  u = layer_norm(u, "pos_norm");
  u = rms_norm(u, Tensor(), vision.rms_norm_eps);
  return linear(u, weight("model.embed_vision.embedding_projection"), bf16_);
}

Decoder::Output Decoder::forward(const Batch& batch, const Wanted& wanted) const {
  Stream prefix{embed_tokens(batch.prefix_ids), batch.prefix_positions, batch.prefix_rows};
  if (batch.patches.defined()) {
    prefix.x = prefix.x.index_copy(0, batch.patch_rows, embed_patches(batch));
  }
  Stream branch;
  if (batch.branches > 0) {
    branch = {embed_tokens(batch.branch_ids), batch.branch_positions,
              batch.branches * batch.branch_rows};
  }
  Output output;
  const std::int64_t depth = config_.text.num_hidden_layers;
  for (std::int64_t i = 0; i < depth; ++i) {
    const bool last = i + 1 == depth;
    if (last && wanted.middle_prefix) {
      output.middle_prefix = prefix.x;
    }
    run_layer(i, batch, !last || wanted.final_prefix, prefix, branch);
  }
  const Tensor& norm = weight(kTextPrefix + "norm");
  if (wanted.final_prefix) {
    output.final_prefix = rms_norm(prefix.x, norm, config_.text.rms_norm_eps);
  }
  if (batch.branches > 0) {
    output.answers = rms_norm(branch.x, norm, config_.text.rms_norm_eps);
  }
  return output;
}

void Decoder::run_layer(std::int64_t index, const Batch& batch, bool prefix_continues,
                        Stream& prefix, Stream& branch) const {
  const TextConfig& text = config_.text;
  const LayerConfig& layer = text.layers[static_cast<std::size_t>(index)];
  const std::string name = layer_prefix(index);
  const std::string attention = name + "self_attn.";
  const RotaryTable& table =
      layer.type == LayerType::kSlidingAttention ? sliding_table_ : full_table_;
  const Batch::Ranges& ranges = batch.ranges(layer.type);
  const double eps = text.rms_norm_eps;
  const std::int64_t groups = text.num_attention_heads / layer.num_key_value_heads;
  const bool last = index + 1 == text.num_hidden_layers;

  const auto key_values = [&](const Stream& stream, const Tensor& h) {
    const HeadShape shape{batch.groups, stream.rows, layer.num_key_value_heads, layer.head_dim,
                          groups};
    const Tensor k = linear(h, weight(attention + "k_proj"), bf16_);
    const Tensor v = layer.attention_k_eq_v ? k : linear(h, weight(attention + "v_proj"), bf16_);
    return std::pair{
        head_norm(shape, k, weight(attention + "k_norm"), eps, table, stream.positions),
        head_norm(shape, v, Tensor(), eps, {}, stream.positions)};
  };
  const auto queries = [&](const Tensor& h, const Tensor& positions, std::int64_t rows) {
    const HeadShape shape{batch.groups, rows, text.num_attention_heads, layer.head_dim, 1};
    return head_norm(shape, linear(h, weight(attention + "q_proj"), bf16_),
                     weight(attention + "q_norm"), eps, table, positions);
  };
  AttentionShape shape;
  shape.batch = batch.groups;
  shape.heads = text.num_attention_heads;
  shape.prefix_rows = batch.prefix_rows;
  shape.head_dim = layer.head_dim;

  const Tensor h_prefix = rms_norm(prefix.x, weight(name + "input_layernorm"), eps);
  const auto [prefix_keys, prefix_values] = key_values(prefix, h_prefix);
  if (batch.branches > 0) {
    const Tensor h = rms_norm(branch.x, weight(name + "input_layernorm"), eps);
    const auto [own_keys, own_values] = key_values(branch, h);
    shape.branches = batch.branches;
    shape.own_rows = batch.branch_rows;
    // After the last layer only answer rows are looked at.
    const Tensor h_asking = last ? h.index_select(0, batch.selected) : h;
    const Tensor& positions = last ? batch.selected_positions : branch.positions;
    shape.queries = last ? batch.branches * batch.selected_rows : branch.rows;
    const Tensor seen = range_attention(shape, queries(h_asking, positions, shape.queries),
                                        prefix_keys, prefix_values, own_keys, own_values,
                                        last ? ranges.selected : ranges.branch);
    branch.x = finish_layer(name, last ? branch.x.index_select(0, batch.selected) : branch.x, seen);
  }
  if (prefix_continues) {
    shape.branches = 1;
    shape.own_rows = 0;
    shape.queries = prefix.rows;
    const Tensor seen =
        range_attention(shape, queries(h_prefix, prefix.positions, prefix.rows), prefix_keys,
                        prefix_values, Tensor(), Tensor(), ranges.prefix);
    prefix.x = finish_layer(name, prefix.x, seen);
  }
}

Tensor Decoder::finish_layer(const std::string& layer, const Tensor& x_in,
                             const Tensor& attention) const {
  const TextConfig& text = config_.text;
  const double eps = text.rms_norm_eps;
  const std::int64_t rows = attention.size(1);
  const std::int64_t head_dim = attention.size(2);
  const Tensor joined = attention.view({-1, text.num_attention_heads, rows, head_dim})
                            .permute({0, 2, 1, 3})
                            .reshape({-1, text.num_attention_heads * head_dim});
  Tensor x = x_in + rms_norm(linear(joined, weight(layer + "self_attn.o_proj"), bf16_),
                             weight(layer + "post_attention_layernorm"), eps);
  const Tensor h = rms_norm(x, weight(layer + "pre_feedforward_layernorm"), eps);
  const Tensor f = geglu(linear(h, weight(layer + "mlp.gate_proj"), bf16_),
                         linear(h, weight(layer + "mlp.up_proj"), bf16_));
  x = x + rms_norm(linear(f, weight(layer + "mlp.down_proj"), bf16_),
                   weight(layer + "post_feedforward_layernorm"), eps);
  return x * parameters_.get(layer + "layer_scalar");
}

Tensor Decoder::logits(const Tensor& rows) const {
  const Tensor z = at::mm(rows, weight(kTextPrefix + "embed_tokens").t());
  const double cap = config_.text.final_logit_softcapping;
  return cap > 0.0 ? at::tanh(z / cap) * cap : z;
}

}  // namespace nolens::train
