// The keys llama.cpp's converter writes for Gemma 4 Unified, in its order.
#include "formats/gguf/gguf_synthesize_keys.h"

#include <algorithm>
#include <array>
#include <string>

#include "nolens/error.h"

#include "formats/gguf/ggml_types.h"
#include "formats/synthetic_tokenizer.h"

namespace nolens {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;
constexpr std::uint32_t kDummyImageSize = 224;
constexpr std::uint32_t kDummyMelBins = 128;
constexpr float kAddedTokenScore = -1000.0F;

std::uint32_t u32(std::int64_t value) {
  return static_cast<std::uint32_t>(value);
}

/// The first layer of a type, or the first of all: sizes that a model has for types it lacks.
const LayerConfig& layer_of(const TextConfig& text, LayerType type) {
  const auto found = std::find_if(text.layers.begin(), text.layers.end(),
                                  [type](const LayerConfig& layer) { return layer.type == type; });
  return found != text.layers.end() ? *found : text.layers.front();
}

void add_general(const ModelConfig& config, std::string_view architecture, std::string_view type,
                 DType dtype, GgufMetadata& keys) {
  keys.add_text("general.architecture", architecture);
  keys.add_text("general.type", type);
  keys.add_text("general.name", config.name);
  keys.add_u32("general.file_type", gguf_file_type_of(dtype));
  keys.add_u32("general.quantization_version", kQuantizationVersion);
}

void add_decoder(const TextConfig& text, GgufMetadata& keys) {
  const LayerConfig& full = layer_of(text, LayerType::kFullAttention);
  const LayerConfig& sliding = layer_of(text, LayerType::kSlidingAttention);
  std::vector<std::int32_t> kv_heads;
  std::vector<bool> pattern;
  for (const LayerConfig& layer : text.layers) {
    kv_heads.push_back(static_cast<std::int32_t>(layer.num_key_value_heads));
    pattern.push_back(layer.type == LayerType::kSlidingAttention);
  }
  const std::string p = "gemma4.";
  keys.add_u32(p + "context_length", u32(text.max_position_embeddings));
  keys.add_u32(p + "embedding_length", u32(text.hidden_size));
  keys.add_u32(p + "block_count", u32(text.num_hidden_layers));
  keys.add_u32(p + "feed_forward_length", u32(text.intermediate_size));
  keys.add_u32(p + "attention.head_count", u32(text.num_attention_heads));
  keys.add_i32s(p + "attention.head_count_kv", kv_heads);
  keys.add_f32(p + "rope.freq_base", static_cast<float>(text.rope_full.rope_theta));
  keys.add_f32(p + "rope.freq_base_swa", static_cast<float>(text.rope_sliding.rope_theta));
  keys.add_f32(p + "attention.layer_norm_rms_epsilon", text.rms_norm_eps);
  keys.add_u32(p + "attention.key_length", u32(full.head_dim));
  keys.add_u32(p + "attention.value_length", u32(full.head_dim));
  keys.add_f32(p + "final_logit_softcapping", text.final_logit_softcapping);
  keys.add_u32(p + "attention.sliding_window", u32(text.sliding_window));
  keys.add_u32(p + "attention.shared_kv_layers", 0);
  keys.add_u32(p + "embedding_length_per_layer_input", 0);
  keys.add_bools(p + "attention.sliding_window_pattern", pattern);
  keys.add_u32(p + "attention.key_length_swa", u32(sliding.head_dim));
  keys.add_u32(p + "attention.value_length_swa", u32(sliding.head_dim));
  keys.add_u32(p + "rope.dimension_count", u32(full.head_dim));
  keys.add_u32(p + "rope.dimension_count_swa", u32(sliding.head_dim));
}

void add_tokenizer(const ModelConfig& config, GgufMetadata& keys) {
  // Marked so that programs print them.
  constexpr std::array<std::string_view, 7> kVisible{
      "<|channel>",       "<channel|>",       "<|tool_call>", "<tool_call|>",
      "<|tool_response>", "<tool_response|>", "<|\"|>"};
  constexpr std::int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kByte = 6;
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (SyntheticToken& token : synthetic_tokens(config.tokens, config.text.vocab_size)) {
    const bool is_visible =
        std::find(kVisible.begin(), kVisible.end(), token.text) != kVisible.end();
    types.push_back(token.kind == SyntheticToken::Kind::kByte      ? kByte
                    : token.kind == SyntheticToken::Kind::kControl ? kControl
                                                                   : kNormal);
    types.back() = is_visible ? kUserDefined : types.back();
    scores.push_back(kAddedTokenScore);
    texts.push_back(std::move(token.text));
  }
  const std::string p = "tokenizer.ggml.";
  keys.add_text(p + "model", "gemma4");
  keys.add_texts(p + "tokens", texts);
  keys.add_f32s(p + "scores", scores);
  keys.add_i32s(p + "token_type", types);
  keys.add_texts(p + "merges", {});
  const auto add_id = [&](const char* name, TokenId id) {
    if (id >= 0) {
      keys.add_u32(p + name, u32(id));
    }
  };
  add_id("bos_token_id", config.tokens.bos);
  add_id("eos_token_id", *std::min_element(config.tokens.eos.begin(), config.tokens.eos.end()));
  add_id("unknown_token_id", 3);
  add_id("padding_token_id", config.tokens.pad);
  add_id("mask_token_id", 4);
  keys.add_bool(p + "add_space_prefix", false);
  keys.add_bool(p + "add_bos_token", true);
  if (!config.generation.suppress_tokens.empty()) {
    keys.add_i32s(p + "suppress_tokens", config.generation.suppress_tokens);
  }
}

void add_sampling(const GenerationConfig& generation, GgufMetadata& keys) {
  if (!generation.do_sample) {
    return;
  }
  keys.add_u32("general.sampling.top_k", u32(generation.top_k));
  keys.add_f32("general.sampling.top_p", generation.top_p);
  keys.add_f32("general.sampling.temp", generation.temperature);
}

}  // namespace

void check_gguf_can_describe(const ModelConfig& config) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) {
      throw Error(ErrorCode::kUsage, std::string("a GGUF file cannot describe this preset: ") +
                                         what + "; use --format safetensors");
    }
  };
  const TextConfig& text = config.text;
  require(config.model_type.starts_with("gemma4_unified"), "it is not of the Gemma 4 family");
  require(text.hidden_activation == Activation::kGeluTanh, "its activation is not GELU");
  require(text.rope_full.rope_type == RopeType::kProportional && text.rope_full.factor == 1.0 &&
              text.rope_sliding.rope_type == RopeType::kDefault && text.rope_sliding.factor == 1.0,
          "its rotary embedding is of another kind");
  for (const LayerConfig& layer : text.layers) {
    require(layer.head_dim == layer_of(text, layer.type).head_dim,
            "head sizes differ between layers of one kind");
  }
  if (config.vision) {
    const VisionConfig& vision = *config.vision;
    require(vision.patch_ln1 && vision.patch_bias && vision.patch_ln2 && vision.pos_norm &&
                vision.embedding_projection &&
                vision.position_embedding == PositionEmbedding::kLearned &&
                config.image_processor.fixed_height == 0,
            "its picture embedder lacks steps of the published one");
  }
}

std::vector<float> synthetic_rope_freqs(const TextConfig& text) {
  constexpr float kStill = 1e30F;
  const std::int64_t head_dim = layer_of(text, LayerType::kFullAttention).head_dim;
  const auto turning = static_cast<std::size_t>(text.rope_full.partial_rotary_factor *
                                                static_cast<double>(head_dim) / 2.0);
  std::vector<float> divisors(static_cast<std::size_t>(head_dim / 2), kStill);
  std::fill_n(divisors.begin(), std::min(turning, divisors.size()), 1.0F);
  return divisors;
}

GgufMetadata synthetic_text_keys(const ModelConfig& config, DType type) {
  GgufMetadata keys;
  add_general(config, "gemma4", "model", type, keys);
  add_sampling(config.generation, keys);
  add_decoder(config.text, keys);
  add_tokenizer(config, keys);
  return keys;
}

GgufMetadata synthetic_mmproj_keys(const ModelConfig& config, DType type) {
  GgufMetadata keys;
  add_general(config, "clip", "mmproj", type, keys);
  keys.add_bool("clip.has_vision_encoder", config.vision.has_value());
  keys.add_bool("clip.has_audio_encoder", config.audio.has_value());
  const std::uint32_t width = u32(config.text.hidden_size);
  if (config.vision) {
    const std::string p = "clip.vision.";
    keys.add_text(p + "projector_type", "gemma4uv");
    keys.add_u32(p + "projection_dim", width);
    keys.add_u32(p + "image_size", kDummyImageSize);
    keys.add_u32(p + "patch_size", u32(config.vision->patch_size));
    keys.add_u32(p + "embedding_length", u32(config.vision->mm_embed_dim));
    keys.add_u32(p + "feed_forward_length", 0);
    keys.add_u32(p + "block_count", 0);
    keys.add_u32(p + "attention.head_count", 0);
    keys.add_f32s(p + "image_mean", std::array{0.0F, 0.0F, 0.0F});
    keys.add_f32s(p + "image_std", std::array{1.0F, 1.0F, 1.0F});
    keys.add_f32(p + "attention.layer_norm_epsilon", config.vision->rms_norm_eps);
    if (config.vision->pooling_kernel_size != 3) {
      keys.add_u32(p + "projector.scale_factor", u32(config.vision->pooling_kernel_size));
    }
  }
  if (config.audio) {
    const std::string p = "clip.audio.";
    keys.add_text(p + "projector_type", "gemma4ua");
    keys.add_u32(p + "projection_dim", width);
    keys.add_u32(p + "embedding_length", u32(config.audio->audio_embed_dim));
    keys.add_u32(p + "feed_forward_length", 0);
    keys.add_u32(p + "block_count", 0);
    keys.add_u32(p + "attention.head_count", 0);
    keys.add_u32(p + "num_mel_bins", kDummyMelBins);
    keys.add_f32(p + "attention.layer_norm_epsilon", config.audio->rms_norm_eps);
  }
  return keys;
}

}  // namespace nolens
