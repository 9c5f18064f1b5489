// The decoder's configuration, the same for every architecture of the table.
#include <string>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "formats/config_parts.h"
#include "formats/gguf/gguf_config_parts.h"

namespace nolens {
namespace {

constexpr std::int64_t kMaxFeedForward = std::int64_t{1} << 20;

/// 1 for each sliding layer: a bool per layer, or the distance between full layers.
std::vector<std::int64_t> read_pattern(const GgufFields& fields, std::int64_t layers,
                                       std::int64_t period) {
  constexpr const char* kKey = "attention.sliding_window_pattern";
  if (fields.is_array(kKey)) {
    return *fields.per_layer(kKey, layers, 0, 1);
  }
  period = fields.integer(kKey, 1, kMaxLayers).value_or(period);
  if (period == 0) {
    fields.fail_missing(kKey);
  }
  std::vector<std::int64_t> pattern;
  for (std::int64_t i = 0; i < layers; ++i) {
    pattern.push_back((i + 1) % period != 0 ? 1 : 0);
  }
  return pattern;
}

std::int64_t read_feed_forward(const GgufFields& fields, std::int64_t layers) {
  constexpr const char* kKey = "feed_forward_length";
  const auto sizes = fields.per_layer(kKey, layers, 1, kMaxFeedForward);
  if (!sizes) {
    fields.fail_missing(kKey);
  }
  for (const std::int64_t size : *sizes) {
    if (size != sizes->front()) {
      fields.fail(kKey, "differs from layer to layer, which is not supported");
    }
  }
  return sizes->front();
}

void refuse_unsupported(const GgufFields& fields, const GgufText& keys) {
  const auto refuse = [&](bool is_used, const char* key, const char* what) {
    if (is_used) {
      fields.fail(key, std::string("is set; ") + what);
    }
  };
  refuse(keys.shared_kv_layers != 0, "attention.shared_kv_layers",
         "layers that share keys and values are not supported");
  refuse(keys.per_layer_input != 0, "embedding_length_per_layer_input",
         "per-layer embeddings are not supported");
  refuse(keys.expert_count != 0, "expert_count", "mixture-of-experts blocks are not supported");
  refuse(keys.attention_softcap != 0.0, "attn_logit_softcapping",
         "soft-capped attention is not supported");
  const auto require = [&](std::int64_t value, std::int64_t expected, const char* key,
                           const char* other) {
    if (value != 0 && value != expected) {
      fields.fail(key, "is " + std::to_string(value) + ", expected " + std::to_string(expected) +
                           " as " + other);
    }
  };
  require(keys.value_length, keys.key_length, "attention.value_length", "attention.key_length");
  require(keys.value_length_swa, keys.key_length_swa, "attention.value_length_swa",
          "attention.key_length_swa");
  require(keys.rope_dimensions, keys.key_length, "rope.dimension_count", "attention.key_length");
  require(keys.rope_dimensions_swa, keys.key_length_swa, "rope.dimension_count_swa",
          "attention.key_length_swa");
  if (const auto type = fields.text("rope.scaling.type");
      type && *type != "none" && *type != "linear") {
    fields.fail("rope.scaling.type", "is not 'none' or 'linear', which alone are supported");
  }
}

GgufText read_keys(const GgufFields& fields, const GgufArchitecture& architecture) {
  GgufText keys;
  read_rules(fields, architecture.integers, architecture.reals, keys);
  refuse_unsupported(fields, keys);
  if (fields.text("rope.scaling.type") == "none") {
    keys.rope_factor = 1.0;
  }
  auto heads = fields.per_layer("attention.head_count_kv", keys.block_count, 1, keys.head_count);
  if (!heads) {
    fields.fail_missing("attention.head_count_kv");
  }
  keys.head_count_kv = std::move(*heads);
  keys.is_sliding = read_pattern(fields, keys.block_count, architecture.sliding_period);
  return keys;
}

/// Rows of the token embedding.
std::int64_t read_vocab_size(const GgufSet& set) {
  const GgufFile& file = set.first();
  const GgufTensor* embedding = set.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw Error(
        ErrorCode::kModel,
        file.name() + (embedding == nullptr ? ": has no tensor 'token_embd.weight'; it is no "
                                              "language model"
                                            : ": tensor 'token_embd.weight' is no matrix"));
  }
  const std::int64_t rows = embedding->shape[0];
  const GgufValue* tokens = file.find("tokenizer.ggml.tokens");
  if (tokens != nullptr && tokens->count() != rows) {
    throw Error(ErrorCode::kModel,
                file.name() + ": tokenizer.ggml.tokens has " + std::to_string(tokens->count()) +
                    " entries, but token_embd.weight has " + std::to_string(rows) + " rows");
  }
  return rows;
}

}  // namespace

TextConfig read_gguf_text(const GgufSet& set, const GgufArchitecture& architecture) {
  const GgufFields fields(set.first(), std::string(architecture.name) + ".");
  const GgufText keys = read_keys(fields, architecture);
  TextConfig text;
  text.vocab_size = read_vocab_size(set);
  text.hidden_size = keys.embedding_length;
  text.intermediate_size = read_feed_forward(fields, keys.block_count);
  text.num_hidden_layers = keys.block_count;
  text.num_attention_heads = keys.head_count;
  const std::int64_t sliding_head =
      keys.key_length_swa != 0 ? keys.key_length_swa : keys.key_length;
  for (std::size_t i = 0; i < keys.head_count_kv.size(); ++i) {
    const bool is_sliding = keys.is_sliding[i] != 0;
    text.layers.push_back(
        {.type = is_sliding ? LayerType::kSlidingAttention : LayerType::kFullAttention,
         .head_dim = is_sliding ? sliding_head : keys.key_length,
         .num_key_value_heads = keys.head_count_kv[i],
         .attention_k_eq_v = false});
  }
  text.rope_sliding.rope_theta = keys.rope_base_swa;
  text.rope_full.rope_theta = keys.rope_base;
  text.rope_full.factor = keys.rope_factor;
  text.sliding_window = keys.sliding_window;
  text.max_position_embeddings = keys.context_length;
  text.rms_norm_eps = static_cast<float>(keys.rms_eps);
  text.final_logit_softcapping = static_cast<float>(keys.final_softcap);
  text.tie_word_embeddings = set.find_tensor("output.weight") == nullptr;
  architecture.finish(set, keys, text);
  return text;
}

}  // namespace nolens
