#include "formats/config_reader.h"

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/presets.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The three documents of the released model, to be varied.
struct Documents {
  Json config;
  Json generation;
  Json processor;

  Documents() {
    const Json preset = preset_json("gemma-4-12b");
    config = preset.at("config");
    generation = preset.at("generation_config");
    processor = preset.at("processor_config");
  }
  Json& text() { return config["text_config"]; }
  Json& vision() { return config["vision_config"]; }
  Json& image() { return processor["image_processor"]; }
  ModelConfig read() const { return model_config_from_json(config, generation, processor, "c"); }
};

ModelConfig read_with(const std::function<void(Documents&)>& change) {
  Documents documents;
  change(documents);
  return documents.read();
}

std::string refusal_of(const std::function<void(Documents&)>& change) {
  Documents documents;
  change(documents);
  return model_error_of([&] { documents.read(); });
}

TEST(ConfigReader, ReadsTheReleasedModel) {
  const ModelConfig config = Documents().read();
  EXPECT_EQ(config.model_type, "gemma4_unified");
  EXPECT_EQ(config.source_dtype, SourceDtype::kBfloat16);
  const TextConfig& text = config.text;
  EXPECT_EQ(text.vocab_size, 262'144);
  EXPECT_EQ(text.hidden_size, 3840);
  EXPECT_EQ(text.intermediate_size, 15'360);
  EXPECT_EQ(text.num_attention_heads, 16);
  ASSERT_EQ(text.layers.size(), 48U);
  for (std::size_t i = 0; i < 48; ++i) {
    const LayerConfig& layer = text.layers[i];
    const bool full = i % 6 == 5;
    EXPECT_EQ(layer.type, full ? LayerType::kFullAttention : LayerType::kSlidingAttention) << i;
    EXPECT_EQ(layer.head_dim, full ? 512 : 256) << i;
    EXPECT_EQ(layer.num_key_value_heads, full ? 1 : 8) << i;
    EXPECT_EQ(layer.attention_k_eq_v, full) << i;
  }
  EXPECT_EQ(text.rope_sliding.rope_type, RopeType::kDefault);
  EXPECT_EQ(text.rope_sliding.rope_theta, 10'000.0);
  EXPECT_EQ(text.rope_full.rope_type, RopeType::kProportional);
  EXPECT_EQ(text.rope_full.rope_theta, 1'000'000.0);
  EXPECT_EQ(text.rope_full.partial_rotary_factor, 0.25);
  EXPECT_EQ(text.sliding_window, 1024);
  EXPECT_EQ(text.max_position_embeddings, 262'144);
  EXPECT_EQ(text.rms_norm_eps, 1e-6F);
  EXPECT_EQ(text.final_logit_softcapping, 30.0F);
  EXPECT_EQ(text.hidden_activation, Activation::kGeluTanh);
  EXPECT_TRUE(text.tie_word_embeddings);
  EXPECT_TRUE(text.bidirectional_vision);
  ASSERT_TRUE(config.vision.has_value());
  EXPECT_EQ(config.vision->model_patch_size(), 48);
  EXPECT_EQ(config.vision->patch_values(), 6912);
  EXPECT_EQ(config.vision->mm_embed_dim, 3840);
  EXPECT_EQ(config.vision->mm_posemb_size, 1120);
  EXPECT_TRUE(config.vision->patch_ln1 && config.vision->patch_ln2 && config.vision->pos_norm &&
              config.vision->patch_bias && config.vision->embedding_projection);
  EXPECT_EQ(config.image_processor.max_soft_tokens, 280);
  EXPECT_EQ(config.image_processor.fixed_height, 0);
  EXPECT_EQ(config.image_processor.rescale_factor, 1.0F / 255.0F);
  ASSERT_TRUE(config.audio.has_value());
  EXPECT_EQ(config.audio->audio_embed_dim, 640);
  EXPECT_EQ(config.tokens.boi, 255'999);
  EXPECT_EQ(config.tokens.image, 258'880);
  EXPECT_EQ(config.tokens.eoi, 258'882);
  EXPECT_EQ(config.tokens.boa, 256'000);
  EXPECT_EQ(config.tokens.audio, 258'881);
  EXPECT_EQ(config.tokens.eoa, 258'883);
  EXPECT_EQ(config.tokens.video, 258'884);
  EXPECT_THAT(config.tokens.eos, ElementsAre(1, 106, 50));
  EXPECT_TRUE(config.generation.do_sample);
  EXPECT_EQ(config.generation.top_k, 64);
  EXPECT_FLOAT_EQ(config.generation.top_p, 0.95F);
  EXPECT_THAT(config.generation.suppress_tokens, ElementsAre(258'883, 258'882));
}

TEST(ConfigReader, ReadsTheNewerSpellingToTheSameModel) {
  const ModelConfig config = read_with([](Documents& d) {
    for (const char* key : {"global_head_dim", "num_global_key_value_heads", "enable_moe_block",
                            "hidden_size_per_layer_input"}) {
      d.text().erase(key);
    }
    d.text()["per_layer_config"] = Json::object();
    for (int i = 5; i < 48; i += 6) {
      d.text()["per_layer_config"][std::to_string(i)] = {{"head_dim", 512},
                                                         {"num_key_value_heads", 1}};
    }
    d.vision().erase("model_patch_size");
    d.config["audio_config"] = {{"audio_embed_dim", 640}};
    d.config["eoa_token_id"] = d.config["eoa_token_index"];
    d.config.erase("eoa_token_index");
    d.config["torch_dtype"] = d.config["dtype"];
    d.config.erase("dtype");
  });
  const ModelConfig released = Documents().read();
  for (std::size_t i = 0; i < 48; ++i) {
    EXPECT_EQ(config.text.layers[i].head_dim, released.text.layers[i].head_dim) << i;
    EXPECT_EQ(config.text.layers[i].num_key_value_heads,
              released.text.layers[i].num_key_value_heads)
        << i;
    EXPECT_EQ(config.text.layers[i].attention_k_eq_v, released.text.layers[i].attention_k_eq_v);
  }
  EXPECT_EQ(config.tokens.eoa, 258'883);
  EXPECT_EQ(config.source_dtype, SourceDtype::kBfloat16);
  EXPECT_EQ(config.audio->audio_embed_dim, 640);
}

TEST(ConfigReader, FillsInTheLayerPatternAndTheDefaultsOfTheOriginalLibrary) {
  const ModelConfig config = read_with([](Documents& d) {
    for (const char* key : {"layer_types", "global_head_dim", "use_bidirectional_attention",
                            "rope_parameters", "head_dim"}) {
      d.text().erase(key);
    }
    d.text()["num_hidden_layers"] = 8;
  });
  std::string pattern;
  for (const LayerConfig& layer : config.text.layers) {
    pattern += layer.type == LayerType::kFullAttention ? 'F' : 's';
  }
  EXPECT_EQ(pattern, "sssssFsF");
  EXPECT_EQ(config.text.layers[0].head_dim, 256);
  EXPECT_EQ(config.text.layers[7].head_dim, 512);
  EXPECT_TRUE(config.text.bidirectional_vision);
  EXPECT_EQ(config.text.rope_full.partial_rotary_factor, 0.25);
  EXPECT_EQ(config.text.rope_sliding.rope_theta, 10'000.0);
}

TEST(ConfigReader, UsesTheGlobalHeadCountOnlyWithSharedKeysAndValues) {
  const ModelConfig config = read_with([](Documents& d) { d.text()["attention_k_eq_v"] = false; });
  EXPECT_EQ(config.text.layers[5].num_key_value_heads, 8);
  EXPECT_EQ(config.text.layers[5].head_dim, 512);
  EXPECT_FALSE(config.text.layers[5].attention_k_eq_v);
}

TEST(ConfigReader, ReadsATextOnlyModel) {
  const ModelConfig config = read_with([](Documents& d) {
    const Json text = d.text();
    d.config = text;
    d.config["dtype"] = "float32";
    d.processor = nullptr;
    d.generation = nullptr;
  });
  EXPECT_EQ(config.model_type, "gemma4_unified_text");
  EXPECT_FALSE(config.vision.has_value());
  EXPECT_FALSE(config.audio.has_value());
  EXPECT_EQ(config.tokens.image, -1);
  EXPECT_THAT(config.tokens.eos, ElementsAre(1));
  EXPECT_EQ(config.source_dtype, SourceDtype::kFloat32);
  EXPECT_FALSE(config.generation.do_sample);
}

TEST(ConfigReader, ReadsVariantsOfTheVisionPath) {
  const ModelConfig config = read_with([](Documents& d) {
    d.vision() = {{"patch_size", 16},
                  {"pooling_kernel_size", 1},
                  {"mm_embed_dim", 3840},
                  {"patch_ln1", false},
                  {"patch_bias", false},
                  {"patch_ln2", false},
                  {"pos_norm", false},
                  {"embedding_projection", false},
                  {"position_embedding", "sinusoidal"}};
    d.image() = {{"do_resize_to_fixed", true}, {"size", {{"height", 448}, {"width", 224}}}};
    d.processor.erase("video_processor");
  });
  EXPECT_FALSE(config.vision->patch_ln1 || config.vision->patch_ln2 || config.vision->pos_norm ||
               config.vision->patch_bias || config.vision->embedding_projection);
  EXPECT_EQ(config.vision->position_embedding, PositionEmbedding::kSinusoidal);
  EXPECT_EQ(config.image_processor.fixed_height, 448);
  EXPECT_EQ(config.image_processor.fixed_width, 224);
  EXPECT_EQ(config.video_processor.frame.fixed_width, 224);
  EXPECT_EQ(config.video_processor.frame.max_soft_tokens, 70);
}

TEST(ConfigReader, ReadsHowClipsBecomePictures) {
  const ModelConfig released = read_with([](Documents&) {});
  EXPECT_EQ(released.video_processor.num_frames, 32);
  EXPECT_EQ(released.video_processor.frame.max_soft_tokens, 70);
  EXPECT_EQ(released.video_processor.frame.rescale_divisor, 255.0F);
  EXPECT_EQ(released.image_processor.rescale_divisor, 0.0F);
  const ModelConfig other = read_with([](Documents& d) {
    d.processor["video_processor"]["num_frames"] = 4;
    d.processor["video_processor"]["max_soft_tokens"] = 140;
    d.processor["video_processor"]["do_normalize"] = false;
    d.image()["do_normalize"] = true;
  });
  EXPECT_EQ(other.video_processor.num_frames, 4);
  EXPECT_EQ(other.video_processor.frame.max_soft_tokens, 140);
  EXPECT_EQ(other.video_processor.frame.rescale_divisor, 0.0F);
  EXPECT_EQ(other.image_processor.rescale_divisor, 255.0F);
  EXPECT_THAT(refusal_of([](Documents& d) { d.processor["video_processor"]["num_frames"] = 0; }),
              HasSubstr("num_frames"));
}

TEST(ConfigReader, ReadsBothLayoutsOfTheProcessor) {
  EXPECT_EQ(read_with([](Documents& d) {
              d.image()["max_soft_tokens"] = 70;
            }).image_processor.max_soft_tokens,
            70);
  EXPECT_EQ(read_with([](Documents& d) {
              const Json image = d.image();
              d.processor = image;
              d.processor["max_soft_tokens"] = 140;
            }).image_processor.max_soft_tokens,
            140);
  EXPECT_EQ(read_with([](Documents& d) {
              d.processor = nullptr;
              d.vision()["num_soft_tokens"] = 560;
            }).image_processor.max_soft_tokens,
            560);
}

TEST(ConfigReader, NamesAnUnknownArchitectureAndTheKnownOnes) {
  EXPECT_THAT(refusal_of([](Documents& d) { d.config["model_type"] = "llama"; }),
              AllOf(HasSubstr("'llama'"), HasSubstr("gemma4_unified, gemma4_unified_text")));
  EXPECT_THAT(refusal_of([](Documents& d) { d.config.erase("model_type"); }),
              HasSubstr("not supported"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.vision()["model_type"] = "gemma4_vision"; }),
              HasSubstr("encoder tower"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.config = Json::array(); }),
              HasSubstr("expected an object"));
}

TEST(ConfigReader, RefusesWhatTheEngineDoesNotCompute) {
  const auto text_refusal = [](const char* key, const Json& value) {
    return refusal_of([&](Documents& d) { d.text()[key] = value; });
  };
  EXPECT_THAT(text_refusal("enable_moe_block", true), HasSubstr("mixture-of-experts"));
  EXPECT_THAT(text_refusal("num_experts", 8), HasSubstr("mixture-of-experts"));
  EXPECT_THAT(text_refusal("hidden_size_per_layer_input", 256), HasSubstr("per-layer embeddings"));
  EXPECT_THAT(text_refusal("num_kv_shared_layers", 4), HasSubstr("share keys and values"));
  EXPECT_THAT(text_refusal("use_double_wide_mlp", true), HasSubstr("double-wide"));
  EXPECT_THAT(text_refusal("attention_bias", true), HasSubstr("biases"));
  EXPECT_THAT(text_refusal("attn_logit_softcapping", 50.0), HasSubstr("soft-capped"));
  EXPECT_THAT(text_refusal("use_bidirectional_attention", "all"), HasSubstr("\"vision\" or null"));
  EXPECT_THAT(text_refusal("hidden_activation", "relu"), HasSubstr("gelu_pytorch_tanh"));
  EXPECT_THAT(text_refusal("per_layer_config", Json{{"5", {{"intermediate_size", 7}}}}),
              HasSubstr("cannot differ"));
  EXPECT_THAT(text_refusal("per_layer_config", Json{{"48", Json::object()}}),
              HasSubstr("expected 0 to 47"));
  EXPECT_THAT(text_refusal("per_layer_config", Json{{"-1", Json::object()}}),
              HasSubstr("is no layer"));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.text()["rope_parameters"]["full_attention"]["rope_type"] = "yarn";
              }),
              HasSubstr("rope_parameters.full_attention.rope_type is \"yarn\""));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.text().erase("rope_parameters");
                d.text()["rope_theta"] = 500'000;
              }),
              HasSubstr("write rope_parameters"));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
              }),
              HasSubstr("quantization_config.quant_method is 'gptq'"));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.config["quantization_config"] = {{"load_in_4bit", false}};
              }),
              HasSubstr("quantised"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.config["tie_word_embeddings"] = false; }),
              HasSubstr("contradicts"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.config["dtype"] = "float8"; }), HasSubstr("dtype"));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.image()["do_normalize"] = true;
                d.image()["image_mean"] = {0.5, 0.5, 0.5};
              }),
              HasSubstr("normalised pixels"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.image()["resample"] = 2; }), HasSubstr("bicubic"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.image()["do_resize"] = false; }),
              HasSubstr("always resized"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.image()["do_resize_to_fixed"] = true; }),
              HasSubstr("must give height and width"));
}

TEST(ConfigReader, NamesTheFieldOfAWrongType) {
  for (const Json& value :
       {Json("48"), Json(48.0), Json(true), Json::array({48}), Json::object()}) {
    EXPECT_THAT(refusal_of([&](Documents& d) { d.text()["hidden_size"] = value; }),
                HasSubstr("c: text_config.hidden_size is"))
        << value;
  }
  EXPECT_THAT(refusal_of([](Documents& d) { d.text()["rms_norm_eps"] = "1e-6"; }),
              HasSubstr("expected a number"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.text()["attention_k_eq_v"] = 1; }),
              HasSubstr("expected true or false"));
  EXPECT_THAT(refusal_of([](Documents& d) {
                d.generation["eos_token_id"] = {1, "x"};
              }),
              HasSubstr("generation_config.eos_token_id holds"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.text()["layer_types"][3] = "linear_attention"; }),
              HasSubstr("entry 3"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.text()["layer_types"][3] = 7; }),
              HasSubstr("entry 3"));
  EXPECT_THAT(refusal_of([](Documents& d) { d.text()["layer_types"].erase(0); }),
              HasSubstr("list of 48"));
}

TEST(ConfigReader, ReadsADirectory) {
  const TemporaryFolder folder;
  Documents documents;
  documents.config.erase("dtype");
  documents.config["text_config"]["layer_types"][47] = "sliding_attention";
  folder.add("config.json", documents.config.dump());
  folder.add("generation_config.json", documents.generation.dump());
  folder.add("processor_config.json", R"({"image_seq_length": 280})");
  Json image = documents.image();
  image["max_soft_tokens"] = 70;
  folder.add("preprocessor_config.json", image.dump());
  folder.add("README.md", "---\nlicense: apache-2.0\n---\n");
  std::string header =
      R"({"model.language_model.embed_tokens.weight":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  folder.add("model.safetensors", length + header + "xx");
  std::string log;
  const ModelConfig config =
      read_model_config(folder.path(), [&](LogLevel, std::string_view line) { log += line; });
  EXPECT_EQ(config.name, folder.path().filename());
  EXPECT_EQ(config.licence, "apache-2.0");
  EXPECT_EQ(config.image_processor.max_soft_tokens, 70);
  EXPECT_EQ(config.source_dtype, SourceDtype::kBfloat16);
  EXPECT_THAT(log, HasSubstr("last layer must use full attention"));
}

TEST(ConfigReader, T29_RefusesBrokenDocumentsWithFileAndPosition) {
  const TemporaryFolder folder;
  folder.add("model.safetensors", "");
  const auto refusal = [&](const std::string& content) {
    folder.add("config.json", content);
    return model_error_of([&] { read_model_config(folder.path()); });
  };
  EXPECT_THAT(refusal(""), HasSubstr("config.json: empty"));
  EXPECT_THAT(refusal("\xEF\xBB\xBF{}"), HasSubstr("byte-order mark"));
  for (const char* text : {"{// c\n}", "{\"a\":1,}", "{\"a\":NaN}", "{\"a\":1,\"a\":2}"}) {
    EXPECT_THAT(refusal(text), AllOf(HasSubstr("config.json: "), HasSubstr("line 1, column")));
  }
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested deeper"));
  folder.add("config.json", "");
  std::filesystem::resize_file(folder.path() / "config.json", std::uintmax_t{1} << 30);
  EXPECT_THAT(model_error_of([&] { read_model_config(folder.path()); }), HasSubstr("at most"));
}

}  // namespace
}  // namespace nolens
