// Sound, clips and prompts that mix all kinds against Hugging Face transformers, in float32
// (tests/golden/README.md, "Cases with sound and clips"). Bounds as in model_golden_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/model_impl.h"
#include "engine/prompt_layout.h"
#include "nolens/session.h"
#include "parity/golden_case.h"
#include "parity/golden_json.h"
#include "parity/greedy_choice.h"

namespace nolens {
namespace {

using testing::GoldenCase;
using testing::greedy_choice;
using testing::max_difference;

constexpr float kEmbeddingBound = 1e-5F;
constexpr float kLogitBound = 2e-4F;

constexpr const char* kCases[] = {"audio_one_sample", "audio_silence",   "audio_one_frame",
                                  "audio_30_seconds", "video_one_frame", "video_seven_frames",
                                  "all_four_kinds"};

struct Rule {
  const char* name;
  MaskRule rule;
};
constexpr Rule kRules[] = {{"canonical", MaskRule::kCanonical},
                           {"legacy", MaskRule::kLegacy},
                           {"causal", MaskRule::kCausal}};

/// hash_sound() of tests/reference/make_media.py.
Audio hash_sound(std::int64_t count, std::uint32_t seed) {
  Audio audio;
  for (std::int64_t index = 0; index < count; ++index) {
    const auto i = static_cast<std::uint32_t>(index);
    std::uint32_t v = i * 374761393U + seed * 3266489917U;
    v = (v ^ (v >> 13U)) * 1274126177U;
    v ^= v >> 16U;
    const float noise = (static_cast<float>(v & 65535U) - 32767.5F) / 65536.0F;
    const auto distance = std::abs(static_cast<std::int64_t>(i % 4096U) - 2048) + 1;
    const float triangle = static_cast<float>(distance) / 2049.0F;
    audio.samples.push_back(seed == 0 ? 0.0F : noise * triangle);
  }
  return audio;
}

/// The messages of a case; parts of type "audio" hold a formula instead of a file.
Prompt prompt_of(const GoldenCase& golden) {
  std::vector<Message> messages;
  for (const Json& message : golden.json.at("messages")) {
    Json copy = message;
    std::vector<std::pair<std::size_t, ContentPart>> sounds;
    if (copy.at("content").is_array()) {
      for (std::size_t i = 0; i < copy["content"].size(); ++i) {
        Json& part = copy["content"][i];
        if (part.at("type") == "audio") {
          sounds.emplace_back(i, AudioPart{hash_sound(part.at("samples").get<std::int64_t>(),
                                                      part.at("seed").get<std::uint32_t>()),
                                           "sound"});
          part = Json{{"type", "text"}, {"text", "a sound"}};
        }
      }
    }
    messages.push_back(parse_messages(Json::array({copy}).dump(), golden.folder).at(0));
    for (auto& [index, sound] : sounds) {
      messages.back().content.at(index) = std::move(sound);
    }
  }
  return render_chat(messages, {});
}

class GoldenMedia : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenMedia, PromptsHaveTheSameTextAndIds) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const Prompt prompt = prompt_of(golden);
  EXPECT_EQ(prompt_text(prompt), golden.json.at("prompt_text").get<std::string>());
  EXPECT_EQ(layout_prompt(*model, prompt, {}).ids, golden.ids("token_ids"));
}

TEST_P(GoldenMedia, SoftTokensAreWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const ModelConfig& config = model->config();
  const std::int64_t hidden = config.text.hidden_size;
  const auto step = golden.json.at("row_step").get<std::int64_t>();
  const TokenSequence sequence =
      lay_out_prompt(config, model->tokenizer(), prompt_of(golden), 0, 0);
  std::vector<float> kept;
  std::int64_t row = 0;
  for (const MediaSpan& span : sequence.media) {
    const std::int64_t count = span.end - span.begin;
    std::vector<float> soft(static_cast<std::size_t>(count * hidden));
    const Matrix out{soft.data(), count, hidden};
    const Runtime& runtime = *model->impl().runtime;
    if (const auto* picture = std::get_if<ImageMedia>(&span.content)) {
      runtime.image_embedder->embed(
          image_to_patches(picture->image, *config.vision,
                           processor_for(config, picture->is_frame), picture->budget, span.name),
          out);
    } else {
      runtime.audio_embedder->embed(std::get<AudioMedia>(span.content).samples, 0, out);
    }
    for (std::int64_t i = 0; i < count; ++i, ++row) {
      if (row % step == 0) {
        kept.insert(kept.end(), out.row(i), out.row(i) + hidden);
      }
    }
  }
  EXPECT_LE(max_difference(kept, golden.tensor("soft_tokens")), kEmbeddingBound);
}

TEST_P(GoldenMedia, PatchesOfFramesAreIdentical) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const ModelConfig& config = model->config();
  std::vector<std::string> hashes;
  for (const MediaSpan& span :
       lay_out_prompt(config, model->tokenizer(), prompt_of(golden), 0, 0).media) {
    const auto* picture = std::get_if<ImageMedia>(&span.content);
    if (picture != nullptr && picture->is_frame) {
      const PatchGrid grid = image_to_patches(
          picture->image, *config.vision, config.video_processor.frame, picture->budget, span.name);
      hashes.push_back(testing::fnv1a64(std::as_bytes(grid.values().span())));
    }
  }
  EXPECT_EQ(hashes, golden.json.at("frame_patches_fnv1a64").get<std::vector<std::string>>());
}

TEST_P(GoldenMedia, LogitsAreWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const auto step = golden.json.at("row_step").get<std::int64_t>();
  for (const Rule& rule : kRules) {
    if (!golden.json.at("rules").contains(rule.name)) {
      continue;
    }
    Session session(model, {.mask_rule = rule.rule});
    std::vector<float> logits;
    session.append(prompt_of(golden),
                   {.on_logits = [&](std::int64_t position, std::span<const float> row) {
                     if (position % step == 0) {
                       logits.insert(logits.end(), row.begin(), row.end());
                     }
                   }});
    if (rule.rule == MaskRule::kCanonical) {
      EXPECT_LE(max_difference(logits, golden.tensor("canonical.logits")), kLogitBound);
    }
    EXPECT_LE(max_difference(session.logits(),
                             golden.tensor(std::string(rule.name) + ".last_logits")),
              kLogitBound)
        << rule.name;
  }
}

TEST_P(GoldenMedia, GreedyAnswersAreIdenticalForEveryRule) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  const std::vector<TokenId> suppressed = golden.ids("suppressed_ids");
  for (const Rule& rule : kRules) {
    if (!golden.json.at("rules").contains(rule.name)) {
      continue;
    }
    const auto expected =
        golden.json.at("rules").at(rule.name).at("greedy_ids").get<std::vector<TokenId>>();
    ASSERT_EQ(expected.size(), 64U);
    Session session(model, {.mask_rule = rule.rule});
    session.append(prompt_of(golden));
    std::vector<TokenId> answer;
    while (answer.size() < expected.size()) {
      const TokenId id = greedy_choice(session.logits(), suppressed);
      answer.push_back(id);
      session.append_ids({&id, 1});
    }
    EXPECT_EQ(answer, expected) << rule.name;
  }
}

TEST_P(GoldenMedia, DecodeStepsStayWithinTheBound) {
  const GoldenCase golden(GetParam());
  const auto model = golden.load_model();
  Session session(model);
  session.append(prompt_of(golden));
  std::vector<float> logits;
  for (const TokenId id : golden.ids("continuation_ids")) {
    session.append_ids({&id, 1});
    logits.insert(logits.end(), session.logits().begin(), session.logits().end());
  }
  EXPECT_LE(max_difference(logits, golden.tensor("canonical.continuation_logits")), kLogitBound);
}

TEST_P(GoldenMedia, AnyChunkSizeAndThreadCountGiveTheSameBits) {
  const GoldenCase golden(GetParam());
  std::vector<float> whole;
  for (const int threads : {1, 3}) {
    const auto model = Model::load(
        testing::golden_directory() / golden.json.at("model").get<std::string>(),
        {.num_threads = threads, .exact = true});
    for (const std::int64_t chunk : {4096, 7, 64}) {
      Session session(model, {.prefill_chunk = chunk});
      session.append(prompt_of(golden));
      const std::vector<float> last(session.logits().begin(), session.logits().end());
      if (whole.empty()) {
        whole = last;
      }
      EXPECT_EQ(whole, last) << "chunk " << chunk << ", threads " << threads;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenMedia, ::testing::ValuesIn(kCases),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nolens
