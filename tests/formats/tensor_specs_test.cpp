#include "formats/tensor_specs.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/assistant_config.h"
#include "formats/presets.h"
#include "formats/safetensors_writer.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ModelConfig config_of(const std::string& preset) {
  return preset_config(preset_json(preset), preset);
}

std::int64_t parameters_below(const std::vector<NamedShape>& specs, const std::string& prefix) {
  std::vector<NamedShape> selected;
  std::copy_if(specs.begin(), specs.end(), std::back_inserter(selected),
               [&](const NamedShape& spec) { return spec.name.starts_with(prefix); });
  return count_parameters(selected);
}

TEST(TensorSpecs, CountsTheParametersOfTheReleasedModel) {
  const auto specs = tensor_specs(config_of("gemma-4-12b"));
  EXPECT_EQ(specs.size(), 677U);
  EXPECT_EQ(parameters_below(specs, "model.language_model.layers.0."), 224'148'993);
  EXPECT_EQ(parameters_below(specs, "model.language_model.layers.5."), 241'844'225);
  EXPECT_EQ(parameters_below(specs, "model.language_model."), 11'907'350'320);
  EXPECT_EQ(parameters_below(specs, "model.vision_embedder.") +
                parameters_below(specs, "model.embed_vision."),
            49'922'304);
  EXPECT_EQ(parameters_below(specs, "model.embed_audio."), 2'457'600);
  EXPECT_EQ(count_parameters(specs), 11'959'730'224);
}

TEST(TensorSpecs, HasTheShapesOfTheReleasedModel) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const NamedShape& spec : tensor_specs(config_of("gemma-4-12b"))) {
    EXPECT_TRUE(shapes.emplace(spec.name, spec.shape).second) << spec.name;
  }
  using Shape = std::vector<std::int64_t>;
  const std::string sliding = "model.language_model.layers.4.self_attn.";
  const std::string full = "model.language_model.layers.47.self_attn.";
  EXPECT_EQ(shapes.at(sliding + "q_proj.weight"), (Shape{4096, 3840}));
  EXPECT_EQ(shapes.at(sliding + "k_proj.weight"), (Shape{2048, 3840}));
  EXPECT_EQ(shapes.at(sliding + "v_proj.weight"), (Shape{2048, 3840}));
  EXPECT_EQ(shapes.at(sliding + "o_proj.weight"), (Shape{3840, 4096}));
  EXPECT_EQ(shapes.at(sliding + "q_norm.weight"), (Shape{256}));
  EXPECT_EQ(shapes.at(full + "q_proj.weight"), (Shape{8192, 3840}));
  EXPECT_EQ(shapes.at(full + "k_proj.weight"), (Shape{512, 3840}));
  EXPECT_FALSE(shapes.contains(full + "v_proj.weight"));
  EXPECT_EQ(shapes.at(full + "k_norm.weight"), (Shape{512}));
  EXPECT_EQ(shapes.at("model.language_model.layers.47.layer_scalar"), (Shape{1}));
  EXPECT_EQ(shapes.at("model.vision_embedder.patch_dense.weight"), (Shape{3840, 6912}));
  EXPECT_EQ(shapes.at("model.vision_embedder.pos_embedding"), (Shape{1120, 2, 3840}));
  EXPECT_FALSE(shapes.contains("lm_head.weight"));
}

TEST(TensorSpecs, HasTheTensorsOfTheReleasedAssistant) {
  const Json preset = preset_json("gemma-4-12b-assistant");
  const AssistantConfig config = assistant_config_from_json(preset.at("config"), "m");
  const std::vector<NamedShape> specs = tensor_specs(config);
  const std::vector<NamedShape> published = published_tensors(config);
  EXPECT_EQ(count_parameters(specs), 422'856'964);
  ASSERT_EQ(published.size(), specs.size());
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(canonical_tensor_name(published[i].name), specs[i].name);
    EXPECT_TRUE(shapes.emplace(published[i].name, published[i].shape).second) << specs[i].name;
  }
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(shapes.at("model.embed_tokens.weight"), (Shape{262144, 1024}));
  EXPECT_EQ(shapes.at("model.norm.weight"), (Shape{1024}));
  EXPECT_EQ(shapes.at("model.layers.0.self_attn.q_proj.weight"), (Shape{4096, 1024}));
  EXPECT_EQ(shapes.at("model.layers.3.self_attn.q_proj.weight"), (Shape{8192, 1024}));
  EXPECT_EQ(shapes.at("model.layers.3.self_attn.q_norm.weight"), (Shape{512}));
  EXPECT_EQ(shapes.at("model.layers.1.mlp.down_proj.weight"), (Shape{1024, 8192}));
  EXPECT_EQ(shapes.at("model.layers.1.layer_scalar"), (Shape{1}));
  EXPECT_EQ(shapes.at("pre_projection.weight"), (Shape{1024, 7680}));
  EXPECT_EQ(shapes.at("post_projection.weight"), (Shape{3840, 1024}));
  EXPECT_FALSE(shapes.contains("model.layers.0.self_attn.k_proj.weight"));
}

TEST(TensorSpecs, CountsTheArticlesVariants) {
  EXPECT_NEAR(static_cast<double>(count_parameters(tensor_specs(config_of("article-12b")))), 11.9e9,
              0.1e9);
  EXPECT_NEAR(static_cast<double>(count_parameters(tensor_specs(config_of("article-70b")))), 70e9,
              1e9);
  const auto specs = tensor_specs(config_of("article-12b"));
  std::set<std::string> vision;
  for (const NamedShape& spec : specs) {
    if (spec.name.find("language_model") == std::string::npos) {
      vision.insert(spec.name);
    }
  }
  EXPECT_EQ(vision, (std::set<std::string>{"model.vision_embedder.patch_dense.weight",
                                           "model.vision_embedder.pos_embedding",
                                           "model.embed_audio.embedding_projection.weight"}));
}

TEST(TensorSpecs, HasAnOutputMatrixOnlyIfNotTied) {
  ModelConfig config = config_of("gemma-4-12b");
  config.text.tie_word_embeddings = false;
  const auto specs = tensor_specs(config);
  EXPECT_EQ(specs.size(), 678U);
  EXPECT_EQ(parameters_below(specs, "lm_head.weight"), 262'144LL * 3840);
}

TEST(CanonicalTensorName, KnowsTheOtherNamings) {
  const std::map<std::string, std::string> names{
      {"model.language_model.layers.3.mlp.up_proj.weight", ""},
      {"language_model.model.layers.3.mlp.up_proj.weight",
       "model.language_model.layers.3.mlp.up_proj.weight"},
      {"language_model.layers.3.layer_scalar", "model.language_model.layers.3.layer_scalar"},
      {"model.layers.0.input_layernorm.weight",
       "model.language_model.layers.0.input_layernorm.weight"},
      {"layers.0.layer_scalar", "model.language_model.layers.0.layer_scalar"},
      {"model.norm.weight", "model.language_model.norm.weight"},
      {"embed_tokens.weight", "model.language_model.embed_tokens.weight"},
      {"lm_head.weight", ""},
      {"language_model.lm_head.weight", "lm_head.weight"},
      {"model.vision_embedder.patch_dense.bias", ""},
      {"model.embed_vision.patch_dense.weight", "model.vision_embedder.patch_dense.weight"},
      {"embed_vision.patch_ln1.bias", "model.vision_embedder.patch_ln1.bias"},
      {"model.embed_vision.pos_embedding", "model.vision_embedder.pos_embedding"},
      {"model.embed_vision.embedding_projection.weight", ""},
      {"model.embed_vision.multimodal_embedder.embedding_projection.weight",
       "model.embed_vision.embedding_projection.weight"},
      {"embed_audio.embedding_projection.weight", "model.embed_audio.embedding_projection.weight"},
      {"something.else", ""},
      {"", ""},
  };
  for (const auto& [name, canonical] : names) {
    EXPECT_EQ(canonical_tensor_name(name), canonical.empty() ? name : canonical);
  }
}

/// A model of a few kilobytes, and its checkpoint under names that a function chooses.
class CheckTensors : public ::testing::Test {
 protected:
  CheckTensors() : config(config_of("gemma-4-12b")) {
    config.text.vocab_size = 8;
    config.text.hidden_size = 4;
    config.text.intermediate_size = 6;
    config.text.num_hidden_layers = 2;
    config.text.num_attention_heads = 2;
    config.text.layers = {{LayerType::kSlidingAttention, 2, 1, false},
                          {LayerType::kFullAttention, 4, 1, true}};
    config.vision->mm_embed_dim = 4;
    config.vision->patch_size = 1;
    config.vision->pooling_kernel_size = 2;
    config.vision->mm_posemb_size = 3;
    config.audio->audio_embed_dim = 5;
    for (const NamedShape& spec : tensor_specs(config)) {
      specs.push_back({spec.name, DType::kF32, spec.shape});
    }
  }
  [[nodiscard]] TensorStore store() const {
    const auto file = folder.path() / "model.safetensors";
    SafetensorsWriter writer(file, specs);
    for (const TensorSpec& spec : specs) {
      const auto count = count_parameters({{spec.name, spec.shape}});
      writer.append(std::vector<std::byte>(static_cast<std::size_t>(count) * 4));
    }
    writer.commit();
    return TensorStore::open_file(file);
  }
  [[nodiscard]] std::string refusal() const {
    const TensorStore opened = store();
    return model_error_of([&] { check_tensors(config, opened, {}); });
  }

  TemporaryFolder folder;
  ModelConfig config;
  std::vector<TensorSpec> specs;
};

TEST_F(CheckTensors, AcceptsACompleteCheckpoint) {
  std::string log;
  check_tensors(config, store(), [&](LogLevel, std::string_view line) { log += line; });
  EXPECT_EQ(log, "");
}

TEST_F(CheckTensors, AcceptsAndFindsTheInMemoryNaming) {
  for (TensorSpec& spec : specs) {
    const auto replace = [&](const std::string& from, const std::string& to) {
      if (spec.name.starts_with(from)) {
        spec.name = to + spec.name.substr(from.size());
      }
    };
    replace("model.embed_vision.", "model.embed_vision.multimodal_embedder.");
    replace("model.vision_embedder.", "model.embed_vision.");
    replace("model.language_model.", "language_model.model.");
  }
  const TensorStore opened = store();
  EXPECT_NO_THROW(check_tensors(config, opened, {}));
  const TensorView* tensor = find_tensor(opened, "model.vision_embedder.pos_embedding");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->name, "model.embed_vision.pos_embedding");
  EXPECT_EQ(find_tensor(opened, "model.vision_embedder.nothing"), nullptr);
}

TEST_F(CheckTensors, T30_ListsWrongShapes) {
  for (TensorSpec& spec : specs) {
    if (spec.name.ends_with("gate_proj.weight")) {
      std::swap(spec.shape[0], spec.shape[1]);
    }
  }
  EXPECT_THAT(refusal(), AllOf(HasSubstr("2 tensors of another shape"),
                               HasSubstr("layers.0.mlp.gate_proj.weight expected [6, 4], found "
                                         "[4, 6]")));
  for (TensorSpec& spec : specs) {
    spec.shape.push_back(1);
  }
  EXPECT_THAT(refusal(), HasSubstr("and " + std::to_string(specs.size() - 10) + " more"));
}

TEST_F(CheckTensors, T31_ListsMissingTensors) {
  specs.erase(std::find_if(specs.begin(), specs.end(), [](const TensorSpec& spec) {
    return spec.name.ends_with("layers.1.layer_scalar");
  }));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("1 tensor missing"),
                               HasSubstr("model.language_model.layers.1.layer_scalar"),
                               Not(HasSubstr("more"))));
  specs.resize(3);
  EXPECT_THAT(refusal(), HasSubstr(" more"));
}

TEST_F(CheckTensors, T31_WarnsOnceOfExtraTensors) {
  specs.push_back({"extra.a\x7f", DType::kF32, {1}});
  specs.back().name = "extra.a";
  specs.push_back({"lm_head.weight", DType::kF32, {8, 4}});
  std::vector<std::string> lines;
  check_tensors(config, store(), [&](LogLevel level, std::string_view line) {
    EXPECT_EQ(level, LogLevel::kWarning);
    lines.emplace_back(line);
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("extra.a"), HasSubstr("lm_head.weight")));
}

TEST_F(CheckTensors, RefusesOneTensorUnderTwoNames) {
  specs.push_back({"language_model.model.norm.weight", DType::kF32, {4}});
  EXPECT_THAT(refusal(), HasSubstr("a second time under another name"));
}

TEST_F(CheckTensors, SaysThatATensorHasATypeThatCannotBeUsed) {
  const std::string header =
      R"({"model.language_model.norm.weight":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  const TensorStore opened =
      TensorStore::open_file(folder.add("m.safetensors", length + header + "xxxx"));
  ModelConfig text_only = config;
  text_only.vision.reset();
  text_only.audio.reset();
  text_only.text.num_hidden_layers = 0;
  text_only.text.layers.clear();
  EXPECT_THAT(model_error_of([&] { check_tensors(text_only, opened, {}); }),
              HasSubstr("model.language_model.norm.weight (stored as I8, expected F32"));
}

}  // namespace
}  // namespace nolens
