// Hostile sizes: every number of a config at its worst values, alone and in pairs.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/checked_math.h"
#include "formats/assistant_config.h"
#include "formats/config_reader.h"
#include "formats/presets.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_specs.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ModelConfig valid() {
  return preset_config(preset_json("gemma-4-12b"), "m");
}

template <typename Change>
std::string refusal_of(const Change& change) {
  ModelConfig config = valid();
  change(config);
  return model_error_of([&] { validate(config, "m"); });
}

struct IntegerField {
  const char* name;
  std::int64_t& (*of)(ModelConfig&);
};

const std::vector<IntegerField>& integer_fields() {
  static const std::vector<IntegerField> fields{
      {"vocab_size", [](ModelConfig& c) -> std::int64_t& { return c.text.vocab_size; }},
      {"hidden_size", [](ModelConfig& c) -> std::int64_t& { return c.text.hidden_size; }},
      {"intermediate_size",
       [](ModelConfig& c) -> std::int64_t& { return c.text.intermediate_size; }},
      {"num_attention_heads",
       [](ModelConfig& c) -> std::int64_t& { return c.text.num_attention_heads; }},
      {"sliding_window", [](ModelConfig& c) -> std::int64_t& { return c.text.sliding_window; }},
      {"max_position_embeddings",
       [](ModelConfig& c) -> std::int64_t& { return c.text.max_position_embeddings; }},
      {"head_dim", [](ModelConfig& c) -> std::int64_t& { return c.text.layers[3].head_dim; }},
      {"num_key_value_heads",
       [](ModelConfig& c) -> std::int64_t& { return c.text.layers[3].num_key_value_heads; }},
      {"patch_size", [](ModelConfig& c) -> std::int64_t& { return c.vision->patch_size; }},
      {"pooling_kernel_size",
       [](ModelConfig& c) -> std::int64_t& { return c.vision->pooling_kernel_size; }},
      {"mm_embed_dim", [](ModelConfig& c) -> std::int64_t& { return c.vision->mm_embed_dim; }},
      {"mm_posemb_size", [](ModelConfig& c) -> std::int64_t& { return c.vision->mm_posemb_size; }},
      {"max_soft_tokens",
       [](ModelConfig& c) -> std::int64_t& { return c.image_processor.max_soft_tokens; }},
      {"audio_embed_dim", [](ModelConfig& c) -> std::int64_t& { return c.audio->audio_embed_dim; }},
  };
  return fields;
}

constexpr std::int64_t kExtremes[] = {0,
                                      -1,
                                      1,
                                      2,
                                      3,
                                      7,
                                      65'536,
                                      std::numeric_limits<std::int32_t>::max(),
                                      std::numeric_limits<std::uint32_t>::max(),
                                      std::int64_t{1} << 31,
                                      std::numeric_limits<std::int64_t>::max(),
                                      std::numeric_limits<std::int64_t>::min()};

/// Bytes of everything sized by the configuration, or nothing if that does not fit 2^62.
bool sizes_fit(const ModelConfig& config) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 62;
  std::optional<std::int64_t> sum = 0;
  const auto add = [&](std::vector<std::int64_t> factors) {
    std::optional<std::int64_t> product = 4;
    for (const std::int64_t factor : factors) {
      product = product ? checked_mul(*product, factor) : std::nullopt;
    }
    sum = sum && product ? checked_add(*sum, *product) : std::nullopt;
  };
  for (const NamedShape& tensor : tensor_specs(config)) {
    add(tensor.shape);
  }
  for (const LayerConfig& layer : config.text.layers) {
    add({2, config.text.max_position_embeddings, layer.num_key_value_heads, layer.head_dim});
  }
  return sum && *sum <= kLimit;
}

TEST(Validate, AcceptsThePresets) {
  for (const Preset& preset : presets()) {
    const Json documents = preset_json(std::string(preset.name));
    if (is_assistant_config(documents.at("config"))) {
      EXPECT_NO_THROW(assistant_config_from_json(documents.at("config"), "m")) << preset.name;
    } else {
      EXPECT_NO_THROW(preset_config(documents, "m")) << preset.name;
    }
  }
}

TEST(Validate, T25_RefusesEveryFieldAtZeroAndBelow) {
  for (const IntegerField& field : integer_fields()) {
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}}) {
      EXPECT_THAT(refusal_of([&](ModelConfig& c) { field.of(c) = value; }), HasSubstr("expected"))
          << field.name << " = " << value;
    }
    EXPECT_THAT(
        refusal_of([&](ModelConfig& c) { field.of(c) = std::numeric_limits<std::int64_t>::max(); }),
        HasSubstr(field.name));
  }
}

TEST(Validate, T25_WhatItAcceptsNeverOverflowsASize) {
  int accepted = 0;
  for (const IntegerField& first : integer_fields()) {
    for (const IntegerField& second : integer_fields()) {
      if (&second < &first) {
        continue;  // the same pair the other way round
      }
      for (const std::int64_t a : kExtremes) {
        for (const std::int64_t b : kExtremes) {
          ModelConfig config = valid();
          first.of(config) = a;
          second.of(config) = b;
          try {
            validate(config, "m");
          } catch (const Error& error) {
            ASSERT_EQ(error.code(), ErrorCode::kModel);
            continue;
          }
          ++accepted;
          ASSERT_TRUE(sizes_fit(config))
              << first.name << " = " << a << ", " << second.name << " = " << b;
        }
      }
    }
  }
  EXPECT_GT(accepted, 100);
}

TEST(Validate, TheLargestAcceptedModelFits) {
  ModelConfig config = valid();
  config.text.vocab_size = 4'194'304;
  config.text.hidden_size = 65'536;
  config.text.intermediate_size = 1 << 20;
  config.text.num_hidden_layers = 1024;
  config.text.num_attention_heads = 512;
  config.text.max_position_embeddings = std::int64_t{1} << 31;
  config.text.layers.assign(1024, {LayerType::kFullAttention, 256, 512, false});
  config.vision->mm_embed_dim = 65'536;
  config.vision->patch_size = 512;
  config.vision->pooling_kernel_size = 1;
  config.vision->mm_posemb_size = 1 << 20;
  EXPECT_NO_THROW(validate(config, "m"));
  EXPECT_TRUE(sizes_fit(config));
}

TEST(Validate, T25_RefusesNumbersThatAreNotFiniteOrOutOfRange) {
  for (const double bad : {0.0 / -1.0 - 1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const auto real = static_cast<float>(bad);
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.rms_norm_eps = real; }),
                HasSubstr("rms_norm_eps"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.final_logit_softcapping = real; }),
                HasSubstr("final_logit_softcapping"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.attention_scale = real; }),
                HasSubstr("query_pre_attn_scalar"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.norm_weight_offset = real; }),
                HasSubstr("norm_weight_offset"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.rope_full.rope_theta = bad; }),
                HasSubstr("full_attention.rope_theta"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.rope_sliding.factor = bad; }),
                HasSubstr("sliding_attention.factor"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.text.rope_full.partial_rotary_factor = bad; }),
                HasSubstr("partial_rotary_factor"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.image_processor.rescale_factor = real; }),
                HasSubstr("rescale_factor"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.generation.temperature = real; }),
                HasSubstr("temperature"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.generation.top_p = real; }), HasSubstr("top_p"));
    EXPECT_THAT(refusal_of([&](ModelConfig& c) { c.vision->rms_norm_eps = real; }),
                HasSubstr("vision_config.rms_norm_eps"));
  }
}

TEST(Validate, T26_NamesTheTwoFieldsOfABrokenRelation) {
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.text.layers[2].num_key_value_heads = 3; }),
              AllOf(HasSubstr("num_attention_heads (layer 2) is 16"),
                    HasSubstr("num_key_value_heads = 3")));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.text.layers[2].num_key_value_heads = 32; }),
              HasSubstr("expected 1 to 16"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.text.layers[2].head_dim = 255; }),
              HasSubstr("even number"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) {
                c.text.num_attention_heads = 512;
                c.text.layers[2].head_dim = 258;
              }),
              HasSubstr("times head_dim is 132096, expected at most 131072"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.text.layers.pop_back(); }),
              HasSubstr("num_hidden_layers = 48"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) {
                c.vision->embedding_projection = false;
                c.vision->mm_embed_dim = 64;
              }),
              HasSubstr("hidden_size = 3840"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.vision->mm_posemb_size = 279; }),
              AllOf(HasSubstr("max_soft_tokens is 280"), HasSubstr("mm_posemb_size = 279")));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.image_processor.fixed_height = 448; }),
              HasSubstr("size.height is 448, expected a multiple of the patch, 48"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.image_processor.fixed_height = 480; }),
              HasSubstr("size.width is 0"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) {
                c.image_processor.fixed_height = c.image_processor.fixed_width = 480;
                c.vision->mm_posemb_size = 9;
              }),
              HasSubstr("needs 10 patches"));
}

TEST(Validate, KeepsIdsInsideTheVocabularyAndApart) {
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.text.vocab_size = 258'884; }),
              HasSubstr("video_token_id is 258884, expected an id of the vocabulary, 0 to 258883"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.tokens.pad = -2; }), HasSubstr("pad_token_id"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.tokens.bos = 262'144; }),
              HasSubstr("bos_token_id"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) {
                c.tokens.eos = {1, -1};
              }),
              HasSubstr("eos_token_id"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.generation.suppress_tokens = {262'144}; }),
              HasSubstr("suppress_tokens"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.tokens.eoi = c.tokens.image; }),
              HasSubstr("eoi_token_id is 258880, the same as image_token_id"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.tokens.image = -1; }), HasSubstr("takes pictures"));
  EXPECT_THAT(refusal_of([](ModelConfig& c) { c.tokens.eos.assign(1025, 1); }),
              HasSubstr("at most 1024"));
}

}  // namespace
}  // namespace nolens
