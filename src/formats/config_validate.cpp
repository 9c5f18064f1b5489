// One table of ranges, then the relations between fields. Ranges come first: the relations multiply
// values and may rely on them.
//
// The largest product is the key-value cache: kMaxContext * kMaxLayers * kMaxHeadsWidth * 2 * 4
// bytes = 2^31 * 2^10 * 2^17 * 2^3 = 2^61.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "formats/config_parts.h"
#include "formats/config_reader.h"

namespace nolens {
namespace {

constexpr std::int64_t kMaxHeadDim = 4096;
constexpr std::int64_t kMaxModelPatch = 512;  // pixels
constexpr std::int64_t kMaxSide = 16'384;     // pixels
constexpr std::int64_t kMaxSoftTokens = 16'384;
constexpr std::size_t kMaxIdListLength = 1024;

struct IntegerRange {
  const char* field;
  std::int64_t value;
  std::int64_t min;
  std::int64_t max;
};

struct RealRange {
  const char* field;
  double value;
  double min;
  double max;
};

class Validator {
 public:
  Validator(const ModelConfig& config, const std::string& name) : config_(config), name_(name) {}

  void run() const {
    check_text();
    check_layers();
    if (config_.vision) {
      check_vision(*config_.vision);
    }
    if (config_.audio) {
      check(IntegerRange{"audio_config.audio_embed_dim", config_.audio->audio_embed_dim, 1,
                         kMaxWidth});
      check(IntegerRange{"audio_seq_length", config_.audio->audio_seq_length, 2, kMaxContext});
      check(RealRange{"audio_config.rms_norm_eps", config_.audio->rms_norm_eps, 1e-30, 1.0});
    }
    check_generation();
    check_ids();
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& reason) const {
    throw Error(ErrorCode::kModel, name_ + ": " + field + " " + reason);
  }
  void check(const IntegerRange& range) const {
    if (range.value < range.min || range.value > range.max) {
      fail(range.field, "is " + std::to_string(range.value) + ", expected " +
                            std::to_string(range.min) + " to " + std::to_string(range.max));
    }
  }
  void check(const RealRange& range) const {
    // Written so that NaN fails too.
    if (!(range.value >= range.min && range.value <= range.max)) {
      fail(range.field, "is " + std::to_string(range.value) + ", expected " +
                            std::to_string(range.min) + " to " + std::to_string(range.max));
    }
  }

  void check_text() const {
    const TextConfig& text = config_.text;
    for (const IntegerRange& range : {
             IntegerRange{"text_config.vocab_size", text.vocab_size, 2, kMaxVocabSize},
             IntegerRange{"text_config.hidden_size", text.hidden_size, 1, kMaxWidth},
             IntegerRange{"text_config.intermediate_size", text.intermediate_size, 1,
                          std::int64_t{1} << 20},
             IntegerRange{"text_config.num_hidden_layers", text.num_hidden_layers, 1, kMaxLayers},
             IntegerRange{"text_config.num_attention_heads", text.num_attention_heads, 1, 4096},
             IntegerRange{"text_config.sliding_window", text.sliding_window, 1, kMaxContext},
             IntegerRange{"text_config.max_position_embeddings", text.max_position_embeddings, 1,
                          kMaxContext},
         }) {
      check(range);
    }
    for (const RealRange& range : {
             RealRange{"text_config.rms_norm_eps", text.rms_norm_eps, 1e-30, 1.0},
             RealRange{"text_config.final_logit_softcapping", text.final_logit_softcapping, 0.0,
                       1e6},
             RealRange{"text_config.query_pre_attn_scalar^-1/2", text.attention_scale, 1e-6, 1e3},
             RealRange{"text_config.norm_weight_offset", text.norm_weight_offset, 0.0, 1.0},
         }) {
      check(range);
    }
    check_rope("sliding_attention", text.rope_sliding);
    check_rope("full_attention", text.rope_full);
  }

  void check_rope(const std::string& type, const RopeParameters& rope) const {
    const std::string prefix = "text_config.rope_parameters." + type;
    check(RealRange{(prefix + ".rope_theta").c_str(), rope.rope_theta, 1.0, 1e12});
    check(RealRange{(prefix + ".partial_rotary_factor").c_str(), rope.partial_rotary_factor, 0.0,
                    1.0});
    check(RealRange{(prefix + ".factor").c_str(), rope.factor, 1e-6, 1e6});
  }

  void check_layers() const {
    const TextConfig& text = config_.text;
    if (static_cast<std::int64_t>(text.layers.size()) != text.num_hidden_layers) {
      fail("text_config.layer_types",
           "has " + std::to_string(text.layers.size()) +
               " entries, expected num_hidden_layers = " + std::to_string(text.num_hidden_layers));
    }
    for (std::size_t i = 0; i < text.layers.size(); ++i) {
      const LayerConfig& layer = text.layers[i];
      const std::string where = " (layer " + std::to_string(i) + ")";
      check(IntegerRange{("text_config.head_dim" + where).c_str(), layer.head_dim, 2, kMaxHeadDim});
      if (layer.head_dim % 2 != 0) {
        fail("text_config.head_dim" + where, "is " + std::to_string(layer.head_dim) +
                                                 ", expected an even number: rotary embedding "
                                                 "turns pairs");
      }
      if (layer.head_dim * text.num_attention_heads > kMaxHeadsWidth) {
        fail("text_config.num_attention_heads" + where,
             "times head_dim is " + std::to_string(layer.head_dim * text.num_attention_heads) +
                 ", expected at most " + std::to_string(kMaxHeadsWidth));
      }
      check(IntegerRange{("text_config.num_key_value_heads" + where).c_str(),
                         layer.num_key_value_heads, 1, text.num_attention_heads});
      if (text.num_attention_heads % layer.num_key_value_heads != 0) {
        fail("text_config.num_attention_heads" + where,
             "is " + std::to_string(text.num_attention_heads) +
                 ", expected a multiple of num_key_value_heads = " +
                 std::to_string(layer.num_key_value_heads));
      }
    }
  }

  void check_vision(const VisionConfig& vision) const {
    check(IntegerRange{"vision_config.patch_size", vision.patch_size, 1, kMaxModelPatch});
    check(IntegerRange{"vision_config.pooling_kernel_size", vision.pooling_kernel_size, 1,
                       kMaxModelPatch});
    check(IntegerRange{"vision_config.model_patch_size", vision.model_patch_size(), 1,
                       kMaxModelPatch});
    check(IntegerRange{"vision_config.mm_embed_dim", vision.mm_embed_dim, 1, kMaxWidth});
    check(RealRange{"vision_config.rms_norm_eps", vision.rms_norm_eps, 1e-30, 1.0});
    if (vision.position_embedding == PositionEmbedding::kLearned) {
      check(IntegerRange{"vision_config.mm_posemb_size", vision.mm_posemb_size, 1, 1 << 20});
    }
    if (!vision.embedding_projection && vision.mm_embed_dim != config_.text.hidden_size) {
      fail("vision_config.mm_embed_dim",
           "is " + std::to_string(vision.mm_embed_dim) +
               ", expected hidden_size = " + std::to_string(config_.text.hidden_size) +
               ", because embedding_projection is false");
    }
    if (config_.tokens.image < 0) {
      fail("image_token_id",
           "is missing or outside the vocabulary, although the model takes "
           "pictures");
    }
    check_image_processor(vision, config_.image_processor);
    check_image_processor(vision, config_.video_processor.frame);
  }

  void check_image_processor(const VisionConfig& vision, const ImageProcessorConfig& image) const {
    check(
        IntegerRange{"processor_config.max_soft_tokens", image.max_soft_tokens, 1, kMaxSoftTokens});
    check(RealRange{"processor_config.rescale_factor", image.rescale_factor, 1e-9, 1.0});
    const bool is_learned = vision.position_embedding == PositionEmbedding::kLearned;
    if (image.fixed_height == 0 && image.fixed_width == 0) {
      // A picture may be one patch high and max_soft_tokens patches wide.
      if (is_learned && image.max_soft_tokens > vision.mm_posemb_size) {
        fail("processor_config.max_soft_tokens",
             "is " + std::to_string(image.max_soft_tokens) +
                 ", expected at most mm_posemb_size = " + std::to_string(vision.mm_posemb_size));
      }
      return;
    }
    const std::int64_t unit = vision.model_patch_size();
    for (const auto& [field, side] :
         {std::pair{"processor_config.size.height", image.fixed_height},
          std::pair{"processor_config.size.width", image.fixed_width}}) {
      check(IntegerRange{field, side, unit, kMaxSide});
      if (side % unit != 0) {
        fail(field, "is " + std::to_string(side) + ", expected a multiple of the patch, " +
                        std::to_string(unit));
      }
      if (is_learned && side / unit > vision.mm_posemb_size) {
        fail(field, "needs " + std::to_string(side / unit) + " patches, but mm_posemb_size is " +
                        std::to_string(vision.mm_posemb_size));
      }
    }
    const std::int64_t tokens = (image.fixed_height / unit) * (image.fixed_width / unit);
    check(IntegerRange{"processor_config.size (tokens of a picture)", tokens, 1, kMaxSoftTokens});
  }

  void check_generation() const {
    const GenerationConfig& generation = config_.generation;
    check(RealRange{"generation_config.temperature", generation.temperature, 0.0, 1000.0});
    check(RealRange{"generation_config.top_p", generation.top_p, 0.0, 1.0});
    check(IntegerRange{"generation_config.top_k", generation.top_k, 0, kMaxContext});
  }

  void check_id(const char* field, TokenId id, bool may_be_absent) const {
    if (id < (may_be_absent ? -1 : 0) || id >= config_.text.vocab_size) {
      fail(field, "is " + std::to_string(id) + ", expected an id of the vocabulary, 0 to " +
                      std::to_string(config_.text.vocab_size - 1));
    }
  }

  void check_ids() const {
    const SpecialTokens& tokens = config_.tokens;
    check_id("pad_token_id", tokens.pad, true);
    check_id("bos_token_id", tokens.bos, true);
    struct NamedId {
      const char* field;
      TokenId id;
    };
    const std::array<NamedId, 7> media{{{"boi_token_id", tokens.boi},
                                        {"image_token_id", tokens.image},
                                        {"eoi_token_id", tokens.eoi},
                                        {"boa_token_id", tokens.boa},
                                        {"audio_token_id", tokens.audio},
                                        {"eoa_token_id", tokens.eoa},
                                        {"video_token_id", tokens.video}}};
    for (const NamedId& token : media) {
      check_id(token.field, token.id, true);
      for (const NamedId& other : media) {
        if (&other < &token && token.id >= 0 && token.id == other.id) {
          fail(token.field, "is " + std::to_string(token.id) + ", the same as " + other.field);
        }
      }
    }
    check_id_list("eos_token_id", tokens.eos);
    check_id_list("generation_config.suppress_tokens", config_.generation.suppress_tokens);
  }

  void check_id_list(const char* field, const std::vector<TokenId>& ids) const {
    if (ids.size() > kMaxIdListLength) {
      fail(field, "has " + std::to_string(ids.size()) + " entries, expected at most " +
                      std::to_string(kMaxIdListLength));
    }
    for (const TokenId id : ids) {
      check_id(field, id, false);
    }
  }

  const ModelConfig& config_;
  const std::string& name_;
};

}  // namespace

void validate(const ModelConfig& config, const std::string& name) {
  Validator(config, name).run();
}

}  // namespace nolens
