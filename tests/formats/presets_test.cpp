#include "formats/presets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/synthesize.h"

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Presets, AreTheFilesOfTheRepository) {
  EXPECT_THAT(preset_names(),
              ElementsAre("article-12b", "article-70b", "gemma-4-12b", "gemma-4-12b-assistant"));
  for (const Preset& preset : presets()) {
    EXPECT_EQ(preset.text, content_of(std::string(NOLENS_SOURCE_DIR) + "/presets/" +
                                      std::string(preset.name) + ".json"));
  }
}

TEST(Presets, TheArticlesVariantIsWhatTheArticleSays) {
  const ModelConfig config = preset_config(preset_json("article-12b"), "article-12b");
  EXPECT_EQ(config.name, "article-12b");
  EXPECT_EQ(config.text.num_hidden_layers, 40);
  EXPECT_EQ(config.text.hidden_size, 5120);
  EXPECT_EQ(config.text.num_attention_heads, 32);
  EXPECT_EQ(config.text.intermediate_size, 13'824);
  for (const LayerConfig& layer : config.text.layers) {
    EXPECT_EQ(layer.type, LayerType::kFullAttention);
    EXPECT_EQ(layer.head_dim, 128);
    EXPECT_EQ(layer.num_key_value_heads, 8);
    EXPECT_FALSE(layer.attention_k_eq_v);
  }
  EXPECT_EQ(config.vision->model_patch_size(), 16);
  EXPECT_EQ(config.vision->patch_values(), 768);
  EXPECT_EQ(config.vision->position_embedding, PositionEmbedding::kLearned);
  EXPECT_EQ(config.vision->mm_posemb_size, 28);
  EXPECT_EQ(config.image_processor.fixed_height, 448);
  EXPECT_EQ(config.image_processor.fixed_width, 448);
  EXPECT_EQ(config.image_processor.max_soft_tokens, 784);
}

TEST(Presets, ReadsAPresetFromAFile) {
  const TemporaryFolder folder;
  const Json original = preset_json("gemma-4-12b");
  const auto file = folder.add("mine.json", Json{{"config", original.at("config")}}.dump());
  const Json preset = preset_json(file);
  EXPECT_TRUE(preset.at("generation_config").is_null());
  EXPECT_EQ(preset_config(preset, "mine").text.hidden_size, 3840);
}

TEST(Presets, SaysWhatThereIs) {
  EXPECT_THAT(error_of(ErrorCode::kUsage, [] { preset_json("gemma-5"); }),
              AllOf(HasSubstr("'gemma-5'"),
                    HasSubstr("article-12b, article-70b, gemma-4-12b, gemma-4-12b-assistant")));
  const TemporaryFolder folder;
  EXPECT_THAT(model_error_of([&] { preset_json(folder.add("a.json", "{}")); }),
              HasSubstr("expected {\"config\""));
  EXPECT_THAT(model_error_of([&] { preset_json(folder.add("b.json", R"({"config":{},"x":1})")); }),
              HasSubstr("unknown part 'x'"));
  EXPECT_THAT(model_error_of([&] { preset_json(folder.add("c.json", "{")); }),
              HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace nolens
