// Metadata -> ModelConfig: the published meaning of the keys, and every value that is refused.
#include "formats/gguf/gguf_config.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf_fixture.h"
#include "formats/tensor_specs.h"

namespace nolens {
namespace {

using namespace testing;  // NOLINT: the builders of gguf_bytes.h
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class GgufConfig : public ::testing::Test {
 protected:
  ModelConfig read(const GgufBytes& text) {
    return read_gguf_config(open_bytes(folder_, "text.gguf", text), nullptr);
  }
  ModelConfig read(const GgufBytes& text, const GgufBytes& mmproj) {
    const GgufSet media = open_bytes(folder_, "mmproj.gguf", mmproj);
    return read_gguf_config(open_bytes(folder_, "text.gguf", text), &media);
  }
  std::string refusal(const GgufBytes& text) {
    return model_error_of([&] { read(text); });
  }
  std::string refusal(const GgufBytes& text, const GgufBytes& mmproj) {
    return model_error_of([&] { read(text, mmproj); });
  }
  std::string refusal(const std::string& key, const std::string& value) {
    GgufBytes bytes = gemma4_bytes();
    bytes.keys[key] = value;
    return refusal(bytes);
  }

  TemporaryFolder folder_;
};

TEST_F(GgufConfig, Gemma4IsReadAsItsConverterWritesIt) {
  const ModelConfig config = read(gemma4_bytes());
  EXPECT_EQ(config.model_type, "gemma4_unified_text");
  EXPECT_EQ(config.name, "text");
  const TextConfig& text = config.text;
  EXPECT_EQ(text.vocab_size, 8);
  EXPECT_EQ(text.hidden_size, 32);
  EXPECT_EQ(text.intermediate_size, 64);
  EXPECT_EQ(text.num_attention_heads, 4);
  ASSERT_EQ(text.layers.size(), 2U);
  EXPECT_EQ(text.layers[0].type, LayerType::kSlidingAttention);
  EXPECT_EQ(text.layers[0].head_dim, 8);
  EXPECT_EQ(text.layers[0].num_key_value_heads, 2);
  EXPECT_FALSE(text.layers[0].attention_k_eq_v);
  EXPECT_EQ(text.layers[1].type, LayerType::kFullAttention);
  EXPECT_EQ(text.layers[1].head_dim, 16);
  EXPECT_EQ(text.layers[1].num_key_value_heads, 1);
  EXPECT_TRUE(text.layers[1].attention_k_eq_v) << "layer 1 has no attn_v";
  EXPECT_EQ(text.rope_full.rope_type, RopeType::kProportional);
  EXPECT_EQ(text.rope_full.partial_rotary_factor, 0.25);
  EXPECT_EQ(text.rope_full.rope_theta, 1e6);
  EXPECT_EQ(text.rope_sliding.rope_type, RopeType::kDefault);
  EXPECT_EQ(text.rope_sliding.rope_theta, 1e4);
  EXPECT_EQ(text.sliding_window, 64);
  EXPECT_EQ(text.final_logit_softcapping, 30.0F);
  EXPECT_EQ(text.attention_scale, 1.0F);
  EXPECT_TRUE(text.value_norm);
  EXPECT_TRUE(text.layer_scalar);
  EXPECT_TRUE(text.tie_word_embeddings);
  EXPECT_EQ(config.source_dtype, SourceDtype::kFloat32);
  EXPECT_FALSE(config.vision.has_value());
  EXPECT_EQ(config.tokens.image, -1) << "without a projector file pictures have no token";
}

TEST_F(GgufConfig, EndTokensAreThoseOfTheFamilyWhateverTheFileSays) {
  const ModelConfig config = read(gemma4_bytes());
  EXPECT_THAT(config.tokens.eos, UnorderedElementsAre(4, 1));
  EXPECT_EQ(config.tokens.bos, 2);
}

TEST_F(GgufConfig, TokensOfFoldedMediaAreSuppressedUnlessTheFileHasAList) {
  EXPECT_THAT(read(gemma4_bytes()).generation.suppress_tokens, ElementsAre(6));
  GgufBytes bytes = gemma4_bytes();
  bytes.keys["tokenizer.ggml.suppress_tokens"] =
      value_numbers<std::int32_t>(GgufType::kI32, {5, 7});
  EXPECT_THAT(read(bytes).generation.suppress_tokens, ElementsAre(5, 7));
  bytes.keys["tokenizer.ggml.suppress_tokens"] = value_numbers<std::int32_t>(GgufType::kI32, {8});
  EXPECT_THAT(refusal(bytes), HasSubstr("expected 0 to 7"));
}

TEST_F(GgufConfig, SamplingComesFromTheFile) {
  EXPECT_FALSE(read(gemma4_bytes()).generation.do_sample);
  GgufBytes bytes = gemma4_bytes();
  bytes.keys["general.sampling.temp"] = value_f32(0.5F);
  bytes.keys["general.sampling.top_k"] = value_i32(64);
  bytes.keys["general.sampling.top_p"] = value_f32(0.95F);
  const GenerationConfig generation = read(bytes).generation;
  EXPECT_TRUE(generation.do_sample);
  EXPECT_EQ(generation.temperature, 0.5F);
  EXPECT_EQ(generation.top_k, 64);
  EXPECT_EQ(generation.top_p, 0.95F);
}

TEST_F(GgufConfig, IntegersOfAnyWidthAndScalarsForAllLayersAreRead) {
  GgufBytes bytes = gemma4_bytes();
  bytes.keys["gemma4.block_count"] = value_i64(2);
  bytes.keys["gemma4.attention.head_count_kv"] = value_u32(2);
  bytes.keys["gemma4.feed_forward_length"] = value_numbers<std::int32_t>(GgufType::kI32, {64, 64});
  EXPECT_EQ(read(bytes).text.layers[1].num_key_value_heads, 2);
  bytes.keys["gemma4.feed_forward_length"] = value_numbers<std::int32_t>(GgufType::kI32, {64, 32});
  EXPECT_THAT(refusal(bytes), HasSubstr("feed_forward_length"));
}

TEST_F(GgufConfig, AnOutputMatrixOfItsOwnIsUsed) {
  GgufBytes bytes = gemma4_bytes();
  bytes.add_tensor("output.weight", {32, 8}, kF32Id, 3136);
  bytes.data.resize(3136 + 1024);
  EXPECT_FALSE(read(bytes).text.tie_word_embeddings);
}

TEST_F(GgufConfig, ProjectorFilesDescribeTheEmbedders) {
  const ModelConfig config = read(gemma4_bytes(), mmproj_bytes());
  EXPECT_EQ(config.model_type, "gemma4_unified");
  ASSERT_TRUE(config.vision.has_value());
  EXPECT_EQ(config.vision->model_patch_size(), 6);
  EXPECT_EQ(config.vision->mm_embed_dim, 48);
  EXPECT_EQ(config.vision->mm_posemb_size, 400);
  EXPECT_EQ(config.vision->patch_order, PatchOrder::kChannelsFirst);
  EXPECT_EQ(config.vision->position_table, PositionTable::kAxisFirst);
  ASSERT_TRUE(config.audio.has_value());
  EXPECT_EQ(config.audio->audio_embed_dim, 20) << "of the tensor, not num_mel_bins";
  EXPECT_EQ(config.tokens.image, 5);
  const auto specs = tensor_specs(config);
  EXPECT_TRUE(std::any_of(specs.begin(), specs.end(), [](const NamedShape& spec) {
    return spec.name == "model.vision_embedder.pos_embedding" &&
           spec.shape == std::vector<std::int64_t>{2, 400, 48};
  }));
}

TEST_F(GgufConfig, ProjectorFilesOfOtherModelsAreRefused) {
  GgufBytes bytes = mmproj_bytes();
  bytes.keys["clip.vision.projector_type"] = value_text("gemma3");
  EXPECT_THAT(refusal(gemma4_bytes(), bytes), AllOf(HasSubstr("gemma3"), HasSubstr("gemma4uv")));
  bytes = mmproj_bytes();
  bytes.keys["clip.audio.projection_dim"] = value_u32(64);
  EXPECT_THAT(refusal(gemma4_bytes(), bytes), AllOf(HasSubstr("64"), HasSubstr("32 wide")));
  bytes = mmproj_bytes();
  bytes.keys["clip.vision.image_std"] = value_numbers<float>(GgufType::kF32, {1, 1, 0.5});
  EXPECT_THAT(refusal(gemma4_bytes(), bytes), HasSubstr("image_std"));
  EXPECT_THAT(refusal(gemma4_bytes(), gemma4_bytes()), HasSubstr("no projector file"));
}

TEST_F(GgufConfig, Gemma3HasItsOwnRules) {
  GgufBytes bytes;
  auto& keys = bytes.keys;
  keys["general.architecture"] = value_text("gemma3");
  keys["gemma3.block_count"] = value_u32(7);
  keys["gemma3.embedding_length"] = value_u32(32);
  keys["gemma3.feed_forward_length"] = value_u32(64);
  keys["gemma3.attention.head_count"] = value_u32(4);
  keys["gemma3.attention.head_count_kv"] = value_u32(1);
  keys["gemma3.attention.key_length"] = value_u32(16);
  keys["gemma3.attention.value_length"] = value_u32(16);
  keys["gemma3.attention.sliding_window"] = value_u32(512);
  keys["gemma3.rope.scaling.type"] = value_text("linear");
  keys["gemma3.rope.scaling.factor"] = value_f32(8.0F);
  bytes.add_tensor("token_embd.weight", {32, 8}, kF32Id, 0);
  bytes.data = std::string(1024, '\0');
  const ModelConfig config = read(bytes);
  const TextConfig& text = config.text;
  EXPECT_EQ(config.model_type, "gemma3_text");
  EXPECT_EQ(text.layers[4].type, LayerType::kSlidingAttention);
  EXPECT_EQ(text.layers[5].type, LayerType::kFullAttention);
  EXPECT_EQ(text.layers[6].type, LayerType::kSlidingAttention);
  EXPECT_EQ(text.attention_scale, 0.25F);
  EXPECT_EQ(text.norm_weight_offset, 0.0F) << "the file holds 1 + w";
  EXPECT_FALSE(text.value_norm);
  EXPECT_FALSE(text.layer_scalar);
  EXPECT_EQ(text.rope_full.rope_type, RopeType::kDefault);
  EXPECT_EQ(text.rope_full.rope_theta, 1e6);
  EXPECT_EQ(text.rope_full.factor, 8.0);
  EXPECT_EQ(text.rope_sliding.rope_theta, 1e4);
  EXPECT_EQ(text.rope_sliding.factor, 1.0);
  EXPECT_EQ(text.final_logit_softcapping, 0.0F);
}

TEST_F(GgufConfig, NumbersOutsideTheirRangeAreRefused) {  // T25, one key at a time
  const GgufBytes good = gemma4_bytes();
  for (const auto& [key, value] : good.keys) {
    if (!key.starts_with("gemma4.")) {
      continue;
    }
    const bool is_real = value.substr(0, 4) == raw(GgufType::kF32);
    for (const std::int64_t number :
         {std::int64_t{-1}, (std::int64_t{1} << 31) + 1, (std::int64_t{1} << 32) - 1}) {
      if (!(is_real && number > 0)) {
        EXPECT_THAT(refusal(key, value_i64(number)), HasSubstr(key.substr(7))) << key << number;
      }
    }
    for (const float number : {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0F}) {
      EXPECT_THAT(refusal(key, value_f32(number)), HasSubstr(key)) << key << number;
    }
    EXPECT_THAT(refusal(key, value_text("7")), HasSubstr(key)) << key;
  }
  for (const char* key :
       {"block_count", "context_length", "embedding_length", "feed_forward_length",
        "attention.head_count", "attention.head_count_kv", "attention.key_length",
        "attention.key_length_swa", "attention.sliding_window", "rope.freq_base",
        "rope.dimension_count", "attention.layer_norm_rms_epsilon"}) {
    EXPECT_THAT(refusal(std::string("gemma4.") + key, value_u32(0)), HasSubstr(key)) << key;
  }
}

TEST_F(GgufConfig, ProjectorNumbersOutsideTheirRangeAreRefused) {  // T25
  for (const char* key :
       {"clip.vision.patch_size", "clip.vision.embedding_length", "clip.vision.projection_dim",
        "clip.vision.projector.scale_factor", "clip.vision.attention.layer_norm_epsilon",
        "clip.audio.projection_dim", "clip.audio.attention.layer_norm_epsilon"}) {
    for (const std::string& value :
         {value_i64(0), value_i64(-1), value_i64((std::int64_t{1} << 31) - 1), value_u32(~0U),
          value_f32(std::nanf("")), value_text("x")}) {
      GgufBytes bytes = mmproj_bytes();
      bytes.keys[key] = value;
      EXPECT_NE(refusal(gemma4_bytes(), bytes), "(no error)") << key;
    }
  }
}

TEST_F(GgufConfig, PairsOfOddNumbersAreRefusedOrGiveAConfigWithoutOverflow) {  // T25, pairs
  const std::vector<std::string> odd{value_i64(0),
                                     value_i64(1),
                                     value_i64(-1),
                                     value_i64(1024),
                                     value_i64((std::int64_t{1} << 31) - 1),
                                     value_u32(~0U),
                                     value_f32(std::nanf("")),
                                     value_f32(1e30F)};
  std::vector<std::string> names;
  for (const auto& [key, value] : gemma4_bytes().keys) {
    names.push_back(key);
  }
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    GgufBytes bytes = gemma4_bytes();
    bytes.keys[names[random() % names.size()]] = odd[random() % odd.size()];
    bytes.keys[names[random() % names.size()]] = odd[random() % odd.size()];
    const std::string message =
        model_error_of([&] { EXPECT_GT(count_parameters(tensor_specs(read(bytes))), 0); });
    EXPECT_EQ(message.find("other code"), std::string::npos) << message;
  }
}

TEST_F(GgufConfig, MissingKeysAreNamed) {
  for (const char* key : {"gemma4.block_count", "gemma4.attention.sliding_window_pattern",
                          "gemma4.attention.head_count_kv", "gemma4.rope.freq_base"}) {
    GgufBytes bytes = gemma4_bytes();
    bytes.keys.erase(key);
    EXPECT_THAT(refusal(bytes), AllOf(HasSubstr(key), HasSubstr("missing")));
  }
}

TEST_F(GgufConfig, RelationsBetweenNumbersAreChecked) {  // T26
  EXPECT_THAT(refusal("gemma4.attention.head_count_kv", value_u32(3)), HasSubstr("multiple"));
  EXPECT_THAT(refusal("gemma4.attention.head_count_kv", value_u32(5)), HasSubstr("1 to 4"));
  EXPECT_THAT(refusal("gemma4.attention.head_count_kv",
                      value_numbers<std::int32_t>(GgufType::kI32, {1, 1, 1})),
              AllOf(HasSubstr("array of 3"), HasSubstr("2 layers")));
  EXPECT_THAT(refusal("gemma4.attention.value_length", value_u32(8)), HasSubstr("expected 16"));
  EXPECT_THAT(refusal("gemma4.rope.dimension_count", value_u32(4)), HasSubstr("expected 16"));
  EXPECT_THAT(refusal("tokenizer.ggml.tokens", value_texts({"a", "b"})),
              AllOf(HasSubstr("2 entries"), HasSubstr("8 rows")));
  GgufBytes table = mmproj_bytes();
  table.tensors.clear();
  table.add_tensor("v.position_embd.weight", {48, 200, 2}, kF32Id, 0);
  table.add_tensor("mm.a.input_projection.weight", {20, 32}, kF32Id, 153'600);
  EXPECT_THAT(refusal(gemma4_bytes(), table), AllOf(HasSubstr("280"), HasSubstr("200")));
}

TEST_F(GgufConfig, WhatIsNotComputedIsRefused) {
  EXPECT_THAT(refusal("gemma4.attention.shared_kv_layers", value_u32(1)), HasSubstr("share"));
  EXPECT_THAT(refusal("gemma4.embedding_length_per_layer_input", value_u32(8)),
              HasSubstr("per-layer"));
  EXPECT_THAT(refusal("gemma4.expert_count", value_u32(8)), HasSubstr("mixture"));
  EXPECT_THAT(refusal("gemma4.rope.scaling.type", value_text("yarn")), HasSubstr("rope.scaling"));
  EXPECT_THAT(refusal("gemma4.rope.scaling.factor", value_f32(8)), HasSubstr("rope.scaling"));
  GgufBytes bytes = gemma4_bytes();
  bytes.data.replace(bytes.data.size() - 4, 4, raw(2.0F));
  EXPECT_THAT(refusal(bytes), HasSubstr("rope_freqs"));
}

TEST_F(GgufConfig, OtherArchitecturesAreNamedAndPathsAreNotFollowed) {  // T28
  EXPECT_THAT(refusal("general.architecture", value_text("llama\x1B")),
              AllOf(HasSubstr("llama\\x1b"), HasSubstr("supported: gemma4, gemma3")));
  EXPECT_THAT(refusal("general.architecture", value_u32(4)), HasSubstr("general.architecture"));
  GgufBytes bytes = gemma4_bytes();
  bytes.keys.erase("general.architecture");
  EXPECT_THAT(refusal(bytes), HasSubstr("supported"));
  bytes = gemma4_bytes();
  bytes.keys["general.source.url"] = value_text("file:///etc/passwd");
  bytes.keys["general.base_model.0.repo_url"] = value_text("https://192.0.2.1/model");
  EXPECT_EQ(read(bytes).text.hidden_size, 32) << "other keys have no effect";
}

}  // namespace
}  // namespace nolens
