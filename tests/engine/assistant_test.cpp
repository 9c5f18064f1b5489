// Drafts by an assistant: the guesses of the reference, unchanged answers, and clear words about
// misfits.
#include "nolens/assistant.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/synthesize.h"

#include "engine/assistant_drafter.h"
#include "engine/context.h"
#include "formats/assistant_config.h"
#include "formats/json.h"
#include "formats/presets.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_store.h"
#include "formats/tensor_values.h"
#include "platform/mapped_file.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;
using testing::question;
using testing::tiny_model;
using testing::tiny_model_path;

Json read_json(const fs::path& file) {
  return parse_json(read_file(file, std::size_t{1} << 20U, ErrorCode::kModel), "file",
                    ErrorCode::kModel,
                    JsonLimits{.max_bytes = std::size_t{1} << 20U, .max_depth = 32});
}

std::shared_ptr<const Assistant> tiny_assistant(const std::shared_ptr<const Model>& model) {
  return Assistant::load(tiny_model_path("tiny_assistant"), model);
}

TEST(Assistant, GuessesWhatTheReferenceGuesses) {
  const auto model = tiny_model({.num_threads = 2, .exact = true});
  const auto assistant = tiny_assistant(model);
  const fs::path golden = fs::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / "assistant";
  const Json file = read_json(golden / "case.json");
  const TensorStore expected = TensorStore::open_file(golden / "expected.safetensors");
  for (const Json& item : file.at("cases")) {
    const auto ids = item.at("ids").get<std::vector<TokenId>>();
    const auto tokens = item.at("draft").get<std::vector<TokenId>>();
    const std::vector<float> logits =
        float_values(expected, "logits." + std::to_string(ids.size() - 1));
    Context context(model, {});
    TokenSequence sequence;
    sequence.ids.assign(ids.begin(), ids.end() - 1);
    context.extend(std::move(sequence));
    context.compute({});
    context.extend_by(ids.back());
    AssistantDrafter drafter(assistant);
    for (std::size_t steps = 1; steps <= tokens.size(); ++steps) {
      std::vector<TokenId> draft;
      drafter.propose(context, static_cast<std::int64_t>(steps), draft);
      EXPECT_EQ(draft, std::vector<TokenId>(tokens.begin(),
                                            tokens.begin() + static_cast<std::ptrdiff_t>(steps)));
      const std::span<const float> found = drafter.logits();
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_NEAR(found[i], logits[(steps - 1) * found.size() + i], 2e-4)
            << "after " << ids.size() << " tokens, step " << steps << ", logit " << i;
      }
    }
  }
}

TEST(Assistant, AnswersAreThoseWithoutIt) {
  const auto model = tiny_model();
  const auto assistant = tiny_assistant(model);
  std::mt19937 random(8);
  std::int64_t drafted = 0;
  for (int run = 0; run < 12; ++run) {
    std::vector<TokenId> ids = {2};
    for (std::uint32_t i = 0; i < 3 + random() % 120; ++i) {
      ids.push_back(static_cast<TokenId>(random() % 300 + 150));
    }
    GenerateOptions options;
    options.max_tokens = 100;
    options.sampler.temperature = run % 2 == 0 ? 0.0F : 0.7F;
    options.sampler.seed = random();
    Session plain(model, {.context_length = 300});
    plain.append_ids(ids);
    Session session(model, {.context_length = 300});
    session.append_ids(ids);
    const GenerateResult expected = plain.generate(options);
    options.draft = {
        .source = DraftSource::kAssistant, .max_tokens = run % 8 + 1, .assistant = assistant};
    const GenerateResult found = session.generate(options);
    ASSERT_EQ(found.tokens, expected.tokens);
    EXPECT_EQ(found.text, expected.text);
    EXPECT_EQ(found.finish_reason, expected.finish_reason);
    EXPECT_EQ(session.position(), plain.position());
    EXPECT_TRUE(std::ranges::equal(session.logits(), plain.logits()));
    drafted += found.draft.drafted;
  }
  EXPECT_GT(drafted, 50);
}

/// Writes the preset with tiny sizes; the vocabulary and what both share are the same for all.
fs::path tiny_synthetic(const TemporaryFolder& folder, const std::string& preset,
                        std::int64_t hidden_size) {
  Json documents = preset_json(preset);
  Json& config = documents["config"];
  Json& text = config["text_config"];
  text["hidden_size"] = hidden_size;
  text["intermediate_size"] = 96;
  text["num_attention_heads"] = 4;
  text["num_key_value_heads"] = 2;
  text["head_dim"] = 16;
  text["global_head_dim"] = 32;
  if (config.contains("vision_config")) {
    config["vision_config"]["mm_embed_dim"] = hidden_size;
    config["vision_config"]["output_proj_dims"] = hidden_size;
  } else {
    config["backbone_hidden_size"] = 64;
  }
  SynthesizeOptions options;
  options.preset = folder.add(preset + ".json", documents.dump());
  options.vocab_size = 700;
  options.num_layers = config.contains("vision_config") ? 6 : 0;
  options.out = folder.path() / preset;
  synthesize_model(options);
  return options.out;
}

TEST(Assistant, OfAPresetDraftsForTheModelOfThePreset) {
  const TemporaryFolder folder;
  const auto model = Model::load(tiny_synthetic(folder, "gemma-4-12b", 64), {.num_threads = 2});
  const auto assistant =
      Assistant::load(tiny_synthetic(folder, "gemma-4-12b-assistant", 48), model);
  GenerateOptions options;
  options.max_tokens = 60;
  options.sampler.temperature = 0.0F;
  Session plain(model, {.context_length = 100});
  plain.append(question("Hello"));
  Session drafted(model, {.context_length = 100});
  drafted.append(question("Hello"));
  const GenerateResult expected = plain.generate(options);
  options.draft = {.source = DraftSource::kAssistant, .assistant = assistant};
  const GenerateResult found = drafted.generate(options);
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_GT(found.draft.drafted, 0);
}

/// The published sizes, which are not written here.
TEST(Assistant, PresetFitsTheModelPreset) {
  const ModelConfig model = preset_config(preset_json("gemma-4-12b"), "model");
  const AssistantConfig assistant =
      assistant_config_from_json(preset_json("gemma-4-12b-assistant").at("config"), "assistant");
  const TextConfig& text = assistant.decoder.text;
  EXPECT_EQ(assistant.backbone_hidden_size, model.text.hidden_size);
  EXPECT_EQ(text.vocab_size, model.text.vocab_size);
  EXPECT_EQ(text.sliding_window, model.text.sliding_window);
  for (const LayerConfig& layer : text.layers) {
    const auto read =
        std::find_if(model.text.layers.rbegin(), model.text.layers.rend(),
                     [&](const LayerConfig& candidate) { return candidate.type == layer.type; });
    ASSERT_NE(read, model.text.layers.rend());
    EXPECT_EQ(layer.head_dim, read->head_dim);
    EXPECT_EQ(layer.num_key_value_heads, read->num_key_value_heads);
  }
}

/// A copy of the tiny assistant whose configuration can be changed.
class ChangedAssistant : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::copy(tiny_model_path("tiny_assistant"), folder_);
    config_ = read_json(folder_ / "config.json");
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// What loading says about the changed configuration.
  std::string refusal() {
    fs::permissions(folder_ / "config.json", fs::perms::owner_all);
    std::ofstream(folder_ / "config.json") << config_.dump();
    try {
      Assistant::load(folder_, model_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kModel);
      return error.what();
    }
    return "";
  }
  Json& text() { return config_["text_config"]; }

  std::shared_ptr<const Model> model_ = tiny_model();
  fs::path folder_ = fs::path(::testing::TempDir()) / "changed_assistant";
  Json config_;
};

TEST_F(ChangedAssistant, LoadsUnchanged) {
  EXPECT_EQ(refusal(), "");
}

TEST_F(ChangedAssistant, OfAnotherWidthIsRefused) {
  config_["backbone_hidden_size"] = 96;
  EXPECT_NE(refusal().find("backbone_hidden_size is 96, expected 64"), std::string::npos)
      << refusal();
}

TEST_F(ChangedAssistant, OfAnotherVocabularyIsRefused) {
  text()["vocab_size"] = 600;
  EXPECT_NE(refusal().find("vocab_size is 600, expected 512"), std::string::npos) << refusal();
}

TEST_F(ChangedAssistant, WithOtherHeadsOrWindowIsRefused) {
  text()["head_dim"] = 32;
  EXPECT_NE(refusal().find("head_dim of sliding_attention layers is 32, expected 16"),
            std::string::npos)
      << refusal();
  text()["head_dim"] = 16;
  text()["num_global_key_value_heads"] = 2;
  EXPECT_NE(refusal().find("num_key_value_heads of full_attention layers is 2, expected 1"),
            std::string::npos)
      << refusal();
  text()["num_global_key_value_heads"] = 1;
  text()["sliding_window"] = 1024;
  EXPECT_NE(refusal().find("sliding_window is 1024, expected 80"), std::string::npos) << refusal();
}

TEST_F(ChangedAssistant, OfAnotherKindIsRefused) {
  config_["use_ordered_embeddings"] = true;
  EXPECT_NE(refusal().find("use_ordered_embeddings"), std::string::npos) << refusal();
  config_["use_ordered_embeddings"] = false;
  text()["num_kv_shared_layers"] = 2;
  EXPECT_NE(refusal().find("num_kv_shared_layers"), std::string::npos) << refusal();
  text()["num_kv_shared_layers"] = 4;
  config_["model_type"] = "gemma4_unified";
  EXPECT_NE(refusal().find("gemma4_unified_assistant"), std::string::npos) << refusal();
  config_.erase("text_config");
  EXPECT_NE(refusal(), "");
}

TEST_F(ChangedAssistant, WhoseTensorsDoNotFitItsConfigurationIsRefused) {
  text()["intermediate_size"] = 96;
  EXPECT_NE(refusal().find("mlp"), std::string::npos) << refusal();
}

TEST(Assistant, ThatWasLoadedForAnotherModelIsRefused) {
  const auto model = tiny_model();
  const auto assistant = tiny_assistant(tiny_model());
  Session session(model);
  session.append(question("Hello"));
  GenerateOptions options;
  options.draft = {.source = DraftSource::kAssistant, .assistant = assistant};
  EXPECT_THROW(session.generate(options), Error);
  options.draft.assistant = nullptr;
  EXPECT_THROW(session.generate(options), Error);
}

}  // namespace
}  // namespace nolens
