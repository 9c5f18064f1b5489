// The whole model against Hugging Face transformers, in float32 (tests/golden/README.md).
//
// Bounds: token ids, sizes and greedy answers equal; embeddings within 1e-5; logits within 2e-4.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/model_impl.h"
#include "nolens/session.h"
#include "parity/golden_case.h"
#include "parity/greedy_choice.h"

namespace nolens {
namespace {

using testing::GoldenCase;
using testing::greedy_choice;
using testing::max_difference;

constexpr float kEmbeddingBound = 1e-5F;
constexpr float kLogitBound = 2e-4F;
// The residual stream is not normalised, so its error is relative to its largest value: two orders of
// float32 additions over up to 128 inputs and a dozen blocks differ by some tens of 2^-24.
constexpr float kHiddenBound = 100 * 0x1p-24F;

constexpr const char* kCases[] = {"text_long",      "text_short_window",        "one_image",
                                  "several_images", "block_longer_than_window", "two_blocks_short_window"};
constexpr const char* kImageCases[] = {"one_image", "several_images", "block_longer_than_window",
                                       "two_blocks_short_window"};

struct Rule {
  const char* name;
  MaskRule rule;
};
constexpr Rule kRules[] = {{"canonical", MaskRule::kCanonical},
                           {"legacy", MaskRule::kLegacy},
                           {"causal", MaskRule::kCausal}};

class GoldenModel : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenModel, PromptHasTheSameIdsAndSizes) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const AppendResult layout = layout_prompt(*model, golden.prompt(), {});
  EXPECT_EQ(layout.ids, golden.ids("token_ids"));
  ASSERT_EQ(layout.images.size(), golden.json.at("images").size());
  for (std::size_t i = 0; i < layout.images.size(); ++i) {
    const Json& image = golden.json.at("images")[i];
    EXPECT_EQ(layout.images[i].used_width, image.at("used_width"));
    EXPECT_EQ(layout.images[i].used_height, image.at("used_height"));
    EXPECT_EQ(layout.images[i].tokens, image.at("tokens"));
  }
}

TEST_P(GoldenModel, LogitsOfEveryPositionAreWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  for (const Rule& rule : kRules) {
    if (!golden.json.at("rules").contains(rule.name)) {
      continue;
    }
    Session session(model, {.mask_rule = rule.rule});
    std::vector<float> logits;
    session.append(golden.prompt(), {.on_logits = [&](std::int64_t position, std::span<const float> row) {
      EXPECT_EQ(position * static_cast<std::int64_t>(row.size()),
                static_cast<std::int64_t>(logits.size()));
      logits.insert(logits.end(), row.begin(), row.end());
    }});
    const std::string name = rule.name;
    if (golden.has(name + ".logits")) {
      EXPECT_LE(max_difference(logits, golden.tensor(name + ".logits")), kLogitBound) << name;
    }
    EXPECT_LE(max_difference(session.logits(), golden.tensor(name + ".last_logits")), kLogitBound)
        << name;
  }
}

TEST_P(GoldenModel, GreedyAnswersAreIdenticalForEveryRule) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const std::vector<TokenId> suppressed = golden.ids("suppressed_ids");
  for (const Rule& rule : kRules) {
    if (!golden.json.at("rules").contains(rule.name)) {
      continue;
    }
    Session session(model, {.mask_rule = rule.rule});
    session.append(golden.prompt());
    const auto expected =
        golden.json.at("rules").at(rule.name).at("greedy_ids").get<std::vector<TokenId>>();
    ASSERT_EQ(expected.size(), 64U);
    std::vector<TokenId> answer;
    while (answer.size() < expected.size()) {
      const TokenId id = greedy_choice(session.logits(), suppressed);
      answer.push_back(id);
      session.append_ids({&id, 1});
    }
    EXPECT_EQ(answer, expected) << rule.name;
  }
}

TEST_P(GoldenModel, DecodeStepsOverOrdinaryTextStayWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  Session session(model);
  session.append(golden.prompt());
  std::vector<float> logits;
  for (const TokenId id : golden.ids("continuation_ids")) {
    session.append_ids({&id, 1});
    logits.insert(logits.end(), session.logits().begin(), session.logits().end());
  }
  EXPECT_LE(max_difference(logits, golden.tensor("canonical.continuation_logits")), kLogitBound);
}

/// Cases that record the hidden states of every layer.
class GoldenLayers : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenLayers, AreWithinTheBoundFromTheSameEmbeddings) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  std::vector<float> x = golden.tensor("input_embeddings");
  const std::int64_t hidden = model->config().text.hidden_size;
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / hidden;
  KvCache cache(model->config().text, KvType::kF32, rows);
  cache.reserve(rows);
  std::vector<VisionBlock> blocks;
  for (const Json& image : golden.json.at("images")) {
    const auto begin = image.at("first_position").get<std::int64_t>();
    blocks.push_back({begin, begin + image.at("tokens").get<std::int64_t>()});
  }
  const StepSequence sequence{&cache, rows, blocks, MaskRule::kCanonical};
  model->impl().runtime->decoder->forward(
      {&sequence, 1}, Matrix(x.data(), rows, hidden), [&](std::size_t layer, ConstMatrix state) {
        const auto expected = golden.tensor("canonical.hidden." + std::to_string(layer));
        float largest = 0.0F;
        for (const float value : expected) {
          largest = std::max(largest, std::fabs(value));
        }
        EXPECT_LE(max_difference({state.data, expected.size()}, expected), kHiddenBound * largest)
            << "layer " << layer << ", largest value " << largest;
      });
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenLayers,
                         ::testing::Values("text_long", "text_short_window", "one_image",
                                           "several_images", "block_longer_than_window"),
                         [](const auto& instance) { return std::string(instance.param); });
INSTANTIATE_TEST_SUITE_P(Cases, GoldenModel, ::testing::ValuesIn(kCases),
                         [](const auto& instance) { return std::string(instance.param); });

class GoldenPictures : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenPictures, SoftTokensAreWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const ModelConfig& config = model->config();
  for (std::size_t i = 0; i < golden.json.at("images").size(); ++i) {
    const std::string name = golden.json.at("images")[i].at("file").get<std::string>();
    const MappedFile file(golden.folder / name, ErrorCode::kInput);
    const PatchGrid grid = image_to_patches(Image::decode(file.bytes(), name), *config.vision,
                                            config.image_processor, 0, name);
    std::vector<float> soft(static_cast<std::size_t>(grid.num_patches() * config.text.hidden_size));
    model->impl().runtime->image_embedder->embed(
        grid, Matrix(soft.data(), grid.num_patches(), config.text.hidden_size));
    EXPECT_LE(max_difference(soft, golden.tensor("image." + std::to_string(i) + ".soft")),
              kEmbeddingBound);
  }
}

TEST_P(GoldenPictures, AnyChunkSizeGivesTheSameBits) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  for (const Rule& rule : kRules) {
    std::vector<float> whole;
    for (const std::int64_t chunk : {4096, 1, 7, 64, 100}) {
      Session session(model, {.prefill_chunk = chunk, .mask_rule = rule.rule});
      std::vector<float> logits;
      session.append(golden.prompt(), {.on_logits = [&](std::int64_t, std::span<const float> row) {
        logits.insert(logits.end(), row.begin(), row.end());
      }});
      if (whole.empty()) {
        whole = logits;
      }
      EXPECT_EQ(whole, logits) << rule.name << ", chunk " << chunk;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenPictures, ::testing::ValuesIn(kImageCases),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nolens
