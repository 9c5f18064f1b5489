// The released Gemma 3 270M against the tokenizers library, transformers and llama.cpp
// (tests/golden/gemma3_270m). The model is not part of the repository: scripts/fetch_gemma3_270m.sh
// fetches it, and NOLENS_GEMMA3_270M names the file.
//
// Bounds: ids equal; greedy answers equal to those of a float32 run of transformers on the
// dequantised weights, up to ties within 0.001 logits. llama.cpp rounds activations to 8 bits: each
// token of its greedy answers, fed as it chose them, is this engine's first choice too, or the best
// two were within 0.1 logits in one of the two programs.
//
// The conversation is the one docs/gemma3.md shows.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/chat.h"
#include "nolens/session.h"

#include "formats/json.h"
#include "parity/golden_case.h"
#include "platform/mapped_file.h"

namespace nolens {
namespace {

using testing::golden_directory;

constexpr float kNearTie = 0.1F;    // logits
constexpr float kRounding = 1e-3F;  // logits; float32 sums in another order

Json golden(const char* name) {
  const std::string text =
      read_file(golden_directory() / "gemma3_270m" / name, 16U << 20U, ErrorCode::kInput);
  return parse_json(text, name, ErrorCode::kInput);
}

/// The model, loaded once; nullptr if nobody named it.
std::shared_ptr<const Model> released_model() {
  static const auto model = [] {
    const char* const file = std::getenv("NOLENS_GEMMA3_270M");
    return file == nullptr ? std::shared_ptr<const Model>() : Model::load(file, {.exact = true});
  }();
  return model;
}

class Gemma3Released : public ::testing::Test {
 protected:
  void SetUp() override {
    if (released_model() == nullptr) {
      GTEST_SKIP() << "set NOLENS_GEMMA3_270M to gemma-3-270m-q4_k_m.gguf to run this; "
                      "scripts/fetch_gemma3_270m.sh fetches it";
    }
  }
};

TEST_F(Gemma3Released, IsTheModelItIsThoughtToBe) {
  const ModelConfig& config = released_model()->config();
  EXPECT_EQ(released_model()->num_parameters(), 268'098'176);
  EXPECT_EQ(config.text.layers.size(), 18U);
  EXPECT_EQ(config.text.sliding_window, 512);
  EXPECT_EQ(config.text.attention_scale, 0.0625F);
  EXPECT_EQ(config.text.norm_weight_offset, 0.0F);  // this file holds 1 + w
  EXPECT_FALSE(config.text.value_norm);
  EXPECT_EQ(config.text.rope_sliding.rope_theta, 10'000.0);
  EXPECT_EQ(released_model()->chat_family(), ChatFamily::kGemma3);
}

TEST_F(Gemma3Released, TextsInManyLanguagesHaveTheirIds) {
  const Tokenizer& tokenizer = released_model()->tokenizer();
  const Json json = golden("tokens.json");
  ASSERT_GE(json.at("cases").size(), 20U);
  for (const Json& entry : json.at("cases")) {
    const std::string text = entry.at("text");
    const auto ids = entry.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    if (text.find("\u2581") == std::string::npos) {  // which stands for a space
      EXPECT_EQ(tokenizer.decode(ids), text);
    }
  }
}

/// Feeds a recorded answer and returns, for each of its tokens, by how many logits another one was
/// better: 0 where the recorded token is this engine's choice.
std::vector<float> leads_over(const Json& entry) {
  const auto model = released_model();
  std::vector<TokenId> ids{model->config().tokens.bos};
  model->tokenizer().encode(entry.at("prompt").get<std::string>(), ParseSpecial::kNo, ids);
  EXPECT_EQ(ids, entry.at("token_ids").get<std::vector<TokenId>>());
  Session session(model);
  session.append_ids(ids);
  std::vector<float> leads;
  for (const TokenId id : entry.at("greedy_ids").get<std::vector<TokenId>>()) {
    const std::span<const float> logits = session.logits();
    leads.push_back(*std::max_element(logits.begin(), logits.end()) -
                    logits[static_cast<std::size_t>(id)]);
    session.append_ids({&id, 1});
  }
  return leads;
}

TEST_F(Gemma3Released, GreedyAnswersAreThoseOfTransformersInFloat32) {
  const Json json = golden("float32.json");
  ASSERT_EQ(json.at("continuations").size(), 5U);
  for (const Json& entry : json.at("continuations")) {
    SCOPED_TRACE(entry.at("prompt").get<std::string>());
    for (const float lead : leads_over(entry)) {
      EXPECT_LT(lead, kRounding);
    }
  }
}

TEST_F(Gemma3Released, GreedyAnswersOfLlamaCppAreWithinANearTie) {
  const Json json = golden("llama_cpp.json");
  ASSERT_EQ(json.at("continuations").size(), 5U);
  for (const Json& entry : json.at("continuations")) {
    SCOPED_TRACE(entry.at("prompt").get<std::string>());
    const std::vector<float> leads = leads_over(entry);
    EXPECT_GE(leads.size(), 32U);
    for (std::size_t i = 0; i < leads.size(); ++i) {
      const float theirs = entry.at("leads").at(i).get<float>();
      EXPECT_LT(std::min(leads[i], theirs), kNearTie) << "token " << i;
    }
  }
}

TEST_F(Gemma3Released, HoldsTheDocumentedConversationAsATranscript) {
  const std::vector<std::pair<std::string, std::string>> exchanges = {
      {"Hello!", "Hello!"},
      {"What is the capital of France?", "The capital of France is Paris."},
      {"And what is the capital of Italy?", "The capital of Italy is Rome."},
      {"And of Spain?", "The capital of Spain is Madrid."},
      {"Name three fruits.", "Apples, oranges, and grapes."},
      {"And three animals.", "Pigs, cows, and sheep."},
      {"What colour is grass?", "Grass is green."}};
  constexpr ChatFamily kFamily = ChatFamily::kTranscript;
  Session session(released_model());
  GenerateOptions options;
  options.sampler.temperature = 0.0F;
  options.stop = chat_stops(kFamily);
  std::vector<Message> messages;
  for (const auto& [question, answer] : exchanges) {
    messages.push_back({.role = Role::kUser, .content = {TextPart{question}}});
    session.set_context(render_chat(messages, {.family = kFamily}));
    const GenerateResult result = session.generate(options);
    EXPECT_EQ(result.finish_reason, FinishReason::kStop);
    const std::string text = parse_output(result.text, kFamily).text;
    EXPECT_EQ(text, answer);
    messages.push_back({.role = Role::kAssistant, .content = {TextPart{text}}});
  }
}

}  // namespace
}  // namespace nolens
