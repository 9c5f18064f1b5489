// The Gemma 3 decoder against Hugging Face transformers, in float32 (tests/golden/README.md): one
// file of weights through two configurations, in the new and in the old spelling of config.json.
//
// Bounds: ids and greedy answers equal; logits within 2e-4; the same bits for any chunks and
// threads.
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/session.h"

#include "formats/temporary_folder.h"
#include "parity/golden_case.h"
#include "parity/greedy_choice.h"

namespace nolens {
namespace {

using testing::golden_directory;
using testing::GoldenCase;
using testing::max_difference;

constexpr float kLogitBound = 2e-4F;
constexpr std::size_t kGreedyTokens = 64;

const GoldenCase& golden() {
  static const GoldenCase golden("gemma3");
  return golden;
}

/// The golden model with the config.json of a variant.
class VariantModel {
 public:
  explicit VariantModel(const Json& variant, int num_threads = 2) {
    const auto source = golden_directory() / golden().json.at("model").get<std::string>();
    for (const char* name : {"model.safetensors", "tokenizer.json"}) {
      std::filesystem::copy_file(source / name, folder_.path() / name);
    }
    std::filesystem::copy_file(source / variant.at("config").get<std::string>(),
                               folder_.path() / "config.json");
    model = Model::load(folder_.path(), {.num_threads = num_threads, .exact = true});
  }

 private:
  TemporaryFolder folder_;

 public:
  std::shared_ptr<const Model> model;
};

std::vector<float> logits_of(const std::shared_ptr<const Model>& model, std::int64_t chunk) {
  std::vector<float> logits;
  Session session(model, {.prefill_chunk = chunk});
  session.append_ids(golden().ids("token_ids"),
                     {.on_logits = [&](std::int64_t, std::span<const float> row) {
                       logits.insert(logits.end(), row.begin(), row.end());
                     }});
  return logits;
}

class Gemma3Golden : public ::testing::TestWithParam<std::size_t> {
 protected:
  const Json& variant() const { return golden().json.at("variants").at(GetParam()); }
};

TEST_P(Gemma3Golden, LogitsOfEveryPositionAreWithinTheBound) {
  const VariantModel loaded(variant());
  const std::string name = variant().at("name");
  EXPECT_LE(max_difference(logits_of(loaded.model, 512), golden().tensor(name + ".logits")),
            kLogitBound);
}

TEST_P(Gemma3Golden, AnyChunkSizeAndThreadCountGivesTheSameBits) {
  const VariantModel loaded(variant());
  const std::vector<float> whole = logits_of(loaded.model, 4096);
  for (const std::int64_t chunk : {1, 7, 8, 9, 40}) {
    EXPECT_EQ(logits_of(loaded.model, chunk), whole) << "chunk " << chunk;
  }
  const VariantModel alone(variant(), 1);
  EXPECT_EQ(logits_of(alone.model, 512), whole) << "one thread";
}

TEST_P(Gemma3Golden, GreedyAnswersAreIdentical) {
  const VariantModel loaded(variant());
  Session session(loaded.model);
  session.append_ids(golden().ids("token_ids"));
  std::vector<TokenId> answer;
  while (answer.size() < kGreedyTokens) {
    const TokenId id = testing::greedy_choice(session.logits(), {});
    answer.push_back(id);
    session.append_ids({&id, 1});
  }
  EXPECT_EQ(answer, variant().at("greedy_ids").get<std::vector<TokenId>>());
}

INSTANTIATE_TEST_SUITE_P(Variants, Gemma3Golden, ::testing::Values(0, 1), [](const auto& instance) {
  return golden().json.at("variants").at(instance.param).at("name");
});

TEST(Gemma3Model, PromptHasTheReferencesIds) {
  const VariantModel loaded(golden().json.at("variants").at(0));
  std::vector<TokenId> ids{loaded.model->config().tokens.bos};
  loaded.model->tokenizer().encode(golden().json.at("prompt").get<std::string>(), ParseSpecial::kNo,
                                   ids);
  EXPECT_EQ(ids, golden().ids("token_ids"));
}

TEST(Gemma3Model, TellsItsChatFamilyByItsControlTokens) {
  const VariantModel loaded(golden().json.at("variants").at(0));
  EXPECT_EQ(loaded.model->chat_family(), ChatFamily::kGemma3);
}

TEST(Gemma3Model, AnswersEndAtTheEndOfTheTurnWhateverTheConfigNames) {
  const VariantModel loaded(golden().json.at("variants").at(0));
  const TokenId end = loaded.model->tokenizer().find("<end_of_turn>");
  ASSERT_GE(end, 0);
  Session session(loaded.model);
  session.append_ids(golden().ids("token_ids"));
  GenerateOptions options;
  options.max_tokens = 8;
  options.sampler.logit_bias = {{end, 1000.0F}};
  const GenerateResult result = session.generate(options);
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_EQ(result.finish_reason, FinishReason::kStop);
}

TEST(Gemma3Model, RefusesAPicture) {
  const VariantModel loaded(golden().json.at("variants").at(0));
  Session session(loaded.model);
  const Prompt prompt{PromptSpecial{"<bos>"},
                      PromptImage{Image::from_rgb8(1, 1, {1, 2, 3}), "photo.png", 0}};
  try {
    session.append(prompt);
    FAIL() << "a picture was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_NE(std::string(error.what()).find("photo.png"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace nolens
