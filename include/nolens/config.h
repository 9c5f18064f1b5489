// What a model is, as data. Member names are those of the published config.json.
//
// Read from a Hugging Face directory by formats/config_reader; validated there once, so that every
// other part may rely on the relations stated here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nolens {

using TokenId = std::int32_t;

enum class LayerType : std::uint8_t { kSlidingAttention, kFullAttention };
enum class RopeType : std::uint8_t { kDefault, kProportional };
/// Which positions an image row may see beyond the causal rule; see docs/model.md, "Mask rules".
enum class MaskRule : std::uint8_t { kCanonical, kLegacy, kCausal };
/// Activation of the gated feed-forward block.
enum class Activation : std::uint8_t { kGeluTanh, kSilu };
/// Number format the checkpoint was stored in; it fixes the rounding of the embedding scale.
enum class SourceDtype : std::uint8_t { kFloat32, kFloat16, kBfloat16 };

/// Rotary embedding of one layer type. Half-split pairs: i with i + head_dim/2.
struct RopeParameters {
  RopeType rope_type = RopeType::kDefault;
  double rope_theta = 10'000.0;
  double partial_rotary_factor = 1.0;  ///< kProportional only: share of frequencies that turn
  double factor = 1.0;                 ///< all frequencies are divided by it
};

/// What differs from layer to layer.
struct LayerConfig {
  LayerType type = LayerType::kFullAttention;
  std::int64_t head_dim = 0;
  std::int64_t num_key_value_heads = 0;  ///< divides num_attention_heads
  bool attention_k_eq_v = false;         ///< no v_proj: V is the raw K projection
};

struct TextConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::vector<LayerConfig> layers;  ///< [num_hidden_layers]
  RopeParameters rope_sliding;
  RopeParameters rope_full;
  std::int64_t sliding_window = 0;  ///< a row sees itself and the sliding_window - 1 before it
  std::int64_t max_position_embeddings = 0;
  float rms_norm_eps = 1e-6F;
  float final_logit_softcapping = 0.0F;  ///< 0 = none
  Activation hidden_activation = Activation::kGeluTanh;
  bool tie_word_embeddings = true;
  bool bidirectional_vision = true;  ///< use_bidirectional_attention == "vision"
  /// Added to every stored RMSNorm weight: 1 where a file holds w and the model multiplies by 1 + w
  /// (Gemma 3 as Hugging Face stores it; its GGUF files hold 1 + w already), otherwise 0.
  float norm_weight_offset = 0.0F;
  bool value_norm = true;        ///< V is normalised per head, without a weight
  float attention_scale = 1.0F;  ///< multiplies q . k; Gemma 3: query_pre_attn_scalar^-1/2
  bool layer_scalar = true;      ///< each layer stores a factor for the residual stream

  [[nodiscard]] const RopeParameters& rope(LayerType type) const noexcept {
    return type == LayerType::kSlidingAttention ? rope_sliding : rope_full;
  }
};

enum class PositionEmbedding : std::uint8_t { kNone, kLearned, kSinusoidal };
/// Order of the values of one patch, as the weights were stored for it: (row, column, channel) in Hugging
/// Face checkpoints, (channel, row, column) in GGUF files.
enum class PatchOrder : std::uint8_t { kChannelsLast, kChannelsFirst };
/// Layout of the learned position table, E = mm_embed_dim: [mm_posemb_size, 2, E] in Hugging Face
/// checkpoints, [2, mm_posemb_size, E] in GGUF files.
enum class PositionTable : std::uint8_t { kRowFirst, kAxisFirst };

/// The patch embedder. The released model has every step; a variant leaves some out.
struct VisionConfig {
  std::int64_t patch_size = 16;          ///< pixels
  std::int64_t pooling_kernel_size = 3;  ///< model patch = patch_size * pooling_kernel_size pixels
  std::int64_t mm_embed_dim = 0;         ///< width between patch_dense and embedding_projection
  std::int64_t mm_posemb_size = 0;       ///< rows per axis of the position table
  float rms_norm_eps = 1e-6F;
  bool patch_ln1 = true;                 ///< LayerNorm over the raw patch
  bool patch_bias = true;                ///< bias of patch_dense
  bool patch_ln2 = true;                 ///< LayerNorm after patch_dense
  PositionEmbedding position_embedding = PositionEmbedding::kLearned;
  bool pos_norm = true;                  ///< LayerNorm after the positions are added
  bool embedding_projection = true;      ///< weightless RMSNorm, then mm_embed_dim -> hidden_size
  PatchOrder patch_order = PatchOrder::kChannelsLast;
  PositionTable position_table = PositionTable::kRowFirst;

  [[nodiscard]] std::int64_t model_patch_size() const noexcept {
    return patch_size * pooling_kernel_size;
  }
  /// Values of one patch: model_patch_size^2 pixels, 3 channels.
  [[nodiscard]] std::int64_t patch_values() const noexcept {
    return model_patch_size() * model_patch_size() * 3;
  }
};

/// How a picture becomes patches (processor_config.json / preprocessor_config.json).
struct ImageProcessorConfig {
  std::int64_t max_soft_tokens = 280;  ///< budget: the picture is scaled to fill it
  /// Fixed size instead of a budget, in pixels; 0 = budget. Multiples of the model patch.
  std::int64_t fixed_height = 0;
  std::int64_t fixed_width = 0;
  float rescale_factor = 1.0F / 255.0F;
  /// Where do_normalize is set (mean 0, deviation 1) the reference divides pixels by 1 / rescale_factor instead
  /// of multiplying them, which may differ in the last bit. 0 = it multiplies.
  float rescale_divisor = 0.0F;
};

/// How a clip becomes pictures (video_processor of processor_config.json).
struct VideoProcessorConfig {
  ImageProcessorConfig frame{.max_soft_tokens = 70, .rescale_divisor = 255.0F};
  std::int64_t num_frames = 32;  ///< frames taken of a clip
};

/// Raw audio frames: each is one token.
struct AudioConfig {
  std::int64_t audio_embed_dim = 640;  ///< samples per token at 16 kHz
  std::int64_t audio_seq_length = 750;  ///< tokens of the longest sound the model was made for: 30 s
  float rms_norm_eps = 1e-6F;
};

/// Ids with a meaning. -1 = the model does not have it.
struct SpecialTokens {
  TokenId pad = 0;
  TokenId bos = 2;
  std::vector<TokenId> eos;  ///< any of them ends an answer
  TokenId boi = -1, image = -1, eoi = -1;
  TokenId boa = -1, audio = -1, eoa = -1;
  TokenId video = -1;
};

/// Defaults of generation_config.json.
struct GenerationConfig {
  bool do_sample = false;
  float temperature = 1.0F;
  std::int64_t top_k = 0;
  float top_p = 1.0F;
  std::vector<TokenId> suppress_tokens;
};

struct ModelConfig {
  std::string model_type;
  std::string name;      ///< for people: the directory's or preset's name
  std::string licence;   ///< SPDX id or file name, empty if the directory says nothing
  SourceDtype source_dtype = SourceDtype::kFloat32;
  TextConfig text;
  std::optional<VisionConfig> vision;
  std::optional<AudioConfig> audio;
  ImageProcessorConfig image_processor;
  VideoProcessorConfig video_processor;
  SpecialTokens tokens;
  GenerationConfig generation;
};

/// Soft-token budgets the released processor accepts.
inline constexpr std::int64_t kSoftTokenBudgets[] = {70, 140, 280, 560, 1120};

}  // namespace nolens
