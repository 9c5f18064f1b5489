// The documents of Gemma 3: released spellings, today's spelling, and what is refused.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/config_reader.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_specs.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Gemma 3 270M as released.
Json config_270m() {
  return Json::parse(R"({
    "_sliding_window_pattern": 6, "architectures": ["Gemma3ForCausalLM"], "attention_bias": false,
    "attn_logit_softcapping": null, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
    "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 640, "intermediate_size": 2048, "max_position_embeddings": 32768,
    "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 18,
    "num_key_value_heads": 1, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000.0, "rope_scaling": null, "rope_theta": 1000000.0,
    "sliding_window": 512, "torch_dtype": "bfloat16", "use_bidirectional_attention": false,
    "vocab_size": 262144})");
}

/// Gemma 3 4B as released: most fields are left out.
Json config_4b() {
  return Json::parse(R"({
    "model_type": "gemma3", "boi_token_index": 255999, "eoi_token_index": 256000,
    "eos_token_id": [1, 106], "image_token_index": 262144, "mm_tokens_per_image": 256,
    "torch_dtype": "bfloat16",
    "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
      "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
      "sliding_window": 1024},
    "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"}})");
}

ModelConfig read(const Json& config, const Json& generation = {}) {
  return model_config_from_json(config, generation, {}, "c");
}

std::string refusal_of(const std::function<void(Json&)>& change) {
  Json config = config_270m();
  change(config);
  return model_error_of([&] { read(config); });
}

std::vector<std::size_t> full_layers(const TextConfig& text) {
  std::vector<std::size_t> full;
  for (std::size_t i = 0; i < text.layers.size(); ++i) {
    if (text.layers[i].type == LayerType::kFullAttention) {
      full.push_back(i);
    }
  }
  return full;
}

TEST(Gemma3Config, ReadsThe270M) {
  const ModelConfig config = read(config_270m());
  const TextConfig& text = config.text;
  EXPECT_EQ(config.source_dtype, SourceDtype::kBfloat16);
  EXPECT_EQ(text.hidden_size, 640);
  EXPECT_EQ(text.layers.front().head_dim, 256);
  EXPECT_EQ(text.layers.front().num_key_value_heads, 1);
  EXPECT_FALSE(text.layers.back().attention_k_eq_v);
  EXPECT_THAT(full_layers(text), ElementsAre(5, 11, 17));
  EXPECT_EQ(text.sliding_window, 512);
  EXPECT_EQ(text.rope_full.rope_theta, 1e6);
  EXPECT_EQ(text.rope_full.factor, 1.0);
  EXPECT_EQ(text.rope_sliding.rope_theta, 1e4);
  EXPECT_EQ(text.norm_weight_offset, 1.0F);
  EXPECT_FALSE(text.value_norm);
  EXPECT_FALSE(text.layer_scalar);
  EXPECT_FALSE(text.bidirectional_vision);
  EXPECT_TRUE(text.tie_word_embeddings);
  EXPECT_EQ(text.attention_scale, 0.0625F);
  EXPECT_EQ(text.final_logit_softcapping, 0.0F);
  EXPECT_EQ(config.tokens.bos, 2);
  EXPECT_EQ(config.tokens.pad, 0);
  EXPECT_THAT(config.tokens.eos, ElementsAre(1));
  EXPECT_FALSE(config.vision.has_value());
}

TEST(Gemma3Config, HasTheParametersOfThe270M) {
  const auto specs = tensor_specs(read(config_270m()));
  EXPECT_EQ(specs.size(), 236U);
  EXPECT_EQ(count_parameters(specs), 268'098'176);
  EXPECT_TRUE(std::none_of(specs.begin(), specs.end(), [](const NamedShape& spec) {
    return spec.name.ends_with("layer_scalar");
  }));
}

TEST(Gemma3Config, TakesEndTokensFromTheGenerationConfig) {
  const ModelConfig config = read(config_270m(), Json{{"eos_token_id", {1, 106}}});
  EXPECT_THAT(config.tokens.eos, ElementsAre(1, 106));
}

TEST(Gemma3Config, ReadsTheTextPartOfAModelWithPictures) {
  const ModelConfig config = read(config_4b());
  const TextConfig& text = config.text;
  EXPECT_EQ(text.vocab_size, 262'208);
  EXPECT_EQ(text.num_attention_heads, 8);
  EXPECT_EQ(text.layers.front().num_key_value_heads, 4);
  EXPECT_EQ(text.max_position_embeddings, 131'072);
  // 34 layers: the pattern ends with sliding ones, which stay as they are.
  EXPECT_THAT(full_layers(text), ElementsAre(5, 11, 17, 23, 29));
  EXPECT_EQ(text.rope_full.rope_type, RopeType::kDefault);
  EXPECT_EQ(text.rope_full.factor, 8.0);
  EXPECT_EQ(text.rope_sliding.factor, 1.0);
  EXPECT_THAT(config.tokens.eos, ElementsAre(1, 106));
  EXPECT_FALSE(config.vision.has_value());
  EXPECT_EQ(config.tokens.image, -1);
}

TEST(Gemma3Config, ReadsTodaysSpellingToTheSameModel) {
  Json config = config_270m();
  for (const char* old_key : {"rope_theta", "rope_local_base_freq", "rope_scaling", "torch_dtype",
                              "_sliding_window_pattern"}) {
    config.erase(old_key);
  }
  config["dtype"] = "bfloat16";
  config["rope_parameters"] = Json::parse(R"({
    "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0}})");
  config["layer_types"] = Json::array();
  for (int i = 0; i < 18; ++i) {
    config["layer_types"].push_back(i % 6 == 5 ? "full_attention" : "sliding_attention");
  }
  const TextConfig text = read(config).text;
  EXPECT_THAT(full_layers(text), ElementsAre(5, 11, 17));
  EXPECT_EQ(text.rope_full.factor, 8.0);
  EXPECT_EQ(text.rope_full.rope_theta, 1e6);
  EXPECT_EQ(text.rope_sliding.rope_theta, 2e4);
}

TEST(Gemma3Config, ReadsEitherSpellingOfThePatternAndOfLinearScaling) {
  Json config = config_270m();
  config["sliding_window_pattern"] = 4;
  config["rope_scaling"] = Json{{"type", "linear"}, {"factor", 2.0}};
  const TextConfig text = read(config).text;
  EXPECT_THAT(full_layers(text), ElementsAre(3, 7, 11, 15));
  EXPECT_EQ(text.rope_full.factor, 2.0);
  config.erase("sliding_window_pattern");
  config["_sliding_window_pattern"] = 9;
  EXPECT_THAT(full_layers(read(config).text), ElementsAre(8, 17));
}

TEST(Gemma3Config, RefusesWhatTheEngineDoesNotCompute) {
  EXPECT_THAT(refusal_of([](Json& c) { c["attention_bias"] = true; }), HasSubstr("attention_bias"));
  EXPECT_THAT(refusal_of([](Json& c) { c["attn_logit_softcapping"] = 50.0; }),
              HasSubstr("attn_logit_softcapping"));
  EXPECT_THAT(refusal_of([](Json& c) { c["use_bidirectional_attention"] = true; }),
              HasSubstr("use_bidirectional_attention"));
  EXPECT_THAT(refusal_of([](Json& c) {
                c["rope_scaling"] = Json{{"rope_type", "yarn"}, {"factor", 2.0}};
              }),
              AllOf(HasSubstr("rope_type"), HasSubstr("linear")));
  EXPECT_THAT(refusal_of([](Json& c) {
                c["rope_scaling"] = Json{{"rope_type", "linear"}};
              }),
              HasSubstr("factor"));
  EXPECT_THAT(refusal_of([](Json& c) {
                c["rope_parameters"] = Json{{"rope_theta", 1e6}};
              }),
              HasSubstr("rope_theta"));
}

TEST(Gemma3Config, RefusesSizesOutOfRange) {
  EXPECT_THAT(refusal_of([](Json& c) { c["sliding_window_pattern"] = 0; }),
              HasSubstr("sliding_window_pattern"));
  EXPECT_THAT(refusal_of([](Json& c) { c["num_hidden_layers"] = 100'000; }),
              HasSubstr("num_hidden_layers"));
  for (const double scalar : {0.0, -256.0, 1e300}) {
    EXPECT_THAT(refusal_of([&](Json& c) { c["query_pre_attn_scalar"] = scalar; }),
                HasSubstr("query_pre_attn_scalar"))
        << scalar;
  }
  EXPECT_THAT(refusal_of([](Json& c) {
                c["rope_scaling"] = Json{{"rope_type", "linear"}, {"factor", 0.0}};
              }),
              HasSubstr("factor"));
}

TEST(Gemma3Config, RefusesADecoderOfTheOtherFamilyInside) {
  Json config = config_4b();
  config["text_config"]["model_type"] = "gemma4_unified_text";
  EXPECT_THAT(model_error_of([&] { read(config); }), HasSubstr("gemma3_text"));
}

}  // namespace
}  // namespace nolens
