// Against the committed recordings; then with a model, a prompt or a recording that was tampered
// with.
#include "nolens/conform.h"

#include <gtest/gtest.h>

#include "conform/recording.h"
#include "formats/safetensors.h"

namespace nolens {
namespace {

using testing::golden_recording;
using testing::Recording;
using Stage = ConformStage;

const StageReport& stage_of(const ConformReport& report, const std::string& name) {
  for (const StageReport& stage : report.stages) {
    if (stage.name == name) {
      return stage;
    }
  }
  throw std::runtime_error("no stage " + name);
}

bool has(const ConformReport& report, Stage kind) {
  return std::any_of(report.stages.begin(), report.stages.end(),
                     [&](const StageReport& stage) { return stage.stage == kind; });
}

std::string failures(const ConformReport& report) {
  std::string text = report.not_compared;
  for (const StageReport& stage : report.stages) {
    text += stage.within ? "" : stage.name + " " + stage.note + "; ";
  }
  return text;
}

/// A folder with the files of a golden model, its o_proj of `layer` changed in one value.
void break_output_projection(const TemporaryFolder& folder, const std::string& model, int layer) {
  for (const auto& entry : std::filesystem::directory_iterator(golden_recording(model))) {
    std::filesystem::copy_file(entry.path(), folder.path() / entry.path().filename());
  }
  const std::filesystem::path file = folder.path() / "model.safetensors";
  std::string bytes = content_of(file);
  const std::string wanted = "layers." + std::to_string(layer) + ".self_attn.o_proj.weight";
  std::int64_t place = -1;
  for (const SafetensorsEntry& entry :
       parse_safetensors_header(std::as_bytes(std::span(bytes)), "model").tensors) {
    if (entry.name.ends_with(wanted)) {
      place = entry.begin + 100 * 4;
    }
  }
  ASSERT_GE(place, 0);
  float value = 0.0F;
  std::memcpy(&value, bytes.data() + place, 4);
  value = -value;
  std::memcpy(bytes.data() + place, &value, 4);
  std::filesystem::permissions(file, std::filesystem::perms::owner_write,
                               std::filesystem::perm_options::add);
  static_cast<void>(folder.add("model.safetensors", bytes));
}

class GoldenRecording : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenRecording, IsMetByEveryStageUnderEveryRule) {
  const Recording recording(GetParam());
  const auto model = recording.model();
  for (const MaskRule rule : {MaskRule::kCanonical, MaskRule::kLegacy, MaskRule::kCausal}) {
    const char* name = rule == MaskRule::kLegacy   ? "legacy"
                       : rule == MaskRule::kCausal ? "causal"
                                                   : "canonical";
    if (!recording.json.at("rules").contains(name)) {
      continue;
    }
    const ConformReport report = conform(model, golden_recording(GetParam()), {.mask_rule = rule});
    EXPECT_EQ(report.first_difference(), nullptr) << name << ": " << failures(report);
    EXPECT_EQ(report.mask_rule, rule);
    EXPECT_EQ(stage_of(report, "greedy tokens").greedy->same, 64) << name;
    EXPECT_TRUE(has(report, Stage::kLogits));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenRecording,
                         ::testing::Values("text_long", "text_short_window", "one_image",
                                           "several_images", "block_longer_than_window",
                                           "two_blocks_short_window", "audio_silence",
                                           "audio_30_seconds", "video_seven_frames",
                                           "all_four_kinds"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(Conform, ComparesEveryStageThatIsRecordedInOrder) {
  const Recording recording("one_image");
  const ConformReport report = conform(recording.model(), golden_recording("one_image"));
  std::vector<std::string> names;
  for (const StageReport& stage : report.stages) {
    names.push_back(stage.name);
  }
  const std::vector<std::string> expected{"token ids",
                                          "picture 0: pixels",
                                          "picture 0: patches",
                                          "picture 0: soft tokens",
                                          "input embeddings",
                                          "layer 0",
                                          "layer 1",
                                          "layer 2",
                                          "layer 3",
                                          "layer 4",
                                          "layer 5",
                                          "layer 6",
                                          "final norm",
                                          "logits",
                                          "greedy tokens"};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(report.tokens, 97);
  EXPECT_EQ(report.dtype, SourceDtype::kFloat32);
  EXPECT_EQ(report.made_with, "transformers 5.18.0, torch 2.9.1");
  EXPECT_EQ(stage_of(report, "picture 0: pixels").difference->rows, 84);
  EXPECT_EQ(stage_of(report, "layer 3").difference->rows, 97);
  EXPECT_EQ(stage_of(report, "logits").logits->kl.size(), 97U);
  EXPECT_EQ(stage_of(report, "logits").logits->same_top, 97);
}

TEST(Conform, HashesStandForPixelsAndPatchesThatAreNotThere) {
  Recording recording("several_images");
  for (Json& image : recording.json["images"]) {
    image.erase("resized");
  }
  const auto model = recording.model();
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(model, folder.path());
  EXPECT_EQ(report.first_difference(), nullptr) << failures(report);
  EXPECT_NE(stage_of(report, "picture 2: pixels").note.find("equal hash"), std::string::npos);
  recording.json["images"][1]["patches_fnv1a64"] = "0000000000000000";
  recording.write_case(folder);
  EXPECT_EQ(conform(model, folder.path()).first_difference()->name, "picture 1: patches");
}

TEST(Conform, AChangedWeightIsFoundInItsLayer) {
  const TemporaryFolder broken;
  break_output_projection(broken, "models/tiny_stored", 2);
  const auto model = Model::load(broken.path(), {.num_threads = 2, .exact = true});
  const ConformReport report = conform(model, golden_recording("one_image"));
  ASSERT_NE(report.first_difference(), nullptr);
  EXPECT_EQ(report.first_difference()->stage, Stage::kLayer);
  EXPECT_EQ(report.first_difference()->index, 2);
  EXPECT_TRUE(stage_of(report, "layer 1").within);
  EXPECT_FALSE(stage_of(report, "layer 6").within) << "the error is carried on";
}

TEST(Conform, IsolatedLayersShowWhereAnErrorIsBorn) {
  const TemporaryFolder broken;
  break_output_projection(broken, "models/tiny_stored", 2);
  const auto model = Model::load(broken.path(), {.num_threads = 2, .exact = true});
  const ConformReport report = conform(model, golden_recording("one_image"), {.isolate = true});
  for (const StageReport& stage : report.stages) {
    const bool runs_alone = stage.stage == Stage::kLayer || stage.stage == Stage::kFinalNorm ||
                            stage.stage == Stage::kLogits;
    EXPECT_EQ(stage.isolated.has_value(), runs_alone) << stage.name;
    EXPECT_EQ(stage.isolated_within, stage.name != "layer 2") << stage.name;
  }
}

TEST(Conform, IsolatedLayersOfASoundModelAreWithinTheBoundInAnyChunk) {
  for (const char* name : {"text_long", "several_images", "block_longer_than_window"}) {
    const Recording recording(name);
    const ConformReport report =
        conform(recording.model(), golden_recording(name), {.isolate = true});
    EXPECT_EQ(report.first_difference(), nullptr) << name << ": " << failures(report);
  }
}

TEST(Conform, LayersBetweenRecordedOnesRunTogether) {
  Recording recording("one_image");
  for (const int layer : {0, 1, 3, 4}) {
    recording.tensors.erase("canonical.hidden." + std::to_string(layer));
  }
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path(), {.isolate = true});
  EXPECT_EQ(report.first_difference(), nullptr) << failures(report);
  EXPECT_TRUE(stage_of(report, "layer 2").isolated.has_value());
  EXPECT_TRUE(stage_of(report, "layer 5").isolated.has_value());
}

TEST(Conform, ARecordingInSeveralFilesAndWithTheLastLogitsAloneIsEnough) {
  const Recording recording("text_short_window");
  const TemporaryFolder folder;
  recording.write_case(folder);
  recording.write_tensors(folder.path() / "expected-inputs.safetensors", DType::kF32,
                          {"input_embeddings"});
  recording.write_tensors(folder.path() / "expected-canonical.safetensors", DType::kF32,
                          {"canonical.hidden.1", "canonical.last_logits"});
  const ConformReport report = conform(recording.model(), folder.path());
  EXPECT_EQ(report.first_difference(), nullptr) << failures(report);
  EXPECT_EQ(stage_of(report, "logits, last row").difference->rows, 1);
  EXPECT_TRUE(stage_of(report, "layer 1").within);
  EXPECT_FALSE(has(report, Stage::kFinalNorm));
}

TEST(Conform, EveryNthRowMayBeRecorded) {
  Recording recording("text_short_window");
  recording.json["row_step"] = 3;
  const std::int64_t hidden = recording.tensors.at("input_embeddings").shape[1];
  for (auto& [name, tensor] : recording.tensors) {
    if (name.find("logits") != std::string::npos && name != "canonical.logits") {
      continue;
    }
    const auto columns = static_cast<std::size_t>(tensor.shape[1]);
    std::vector<float> kept;
    for (std::size_t row = 0; row * columns < tensor.values.size(); row += 3) {
      const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(row * columns);
      kept.insert(kept.end(), begin, begin + tensor.shape[1]);
    }
    tensor.values = kept;
    tensor.shape[0] = static_cast<std::int64_t>(kept.size() / columns);
  }
  ASSERT_GT(hidden, 0);
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path());
  EXPECT_EQ(report.first_difference(), nullptr) << failures(report);
  EXPECT_LT(stage_of(report, "layer 0").difference->rows, report.tokens / 2);
}

TEST(Conform, ABfloat16RecordingIsComparedByDirectionAndDistribution) {
  Recording recording("one_image");
  const auto model = recording.model();
  recording.json["dtype"] = "bfloat16";
  const TemporaryFolder folder;
  recording.write(folder, DType::kBf16);
  const ConformReport report = conform(model, folder.path());
  // Patches are recorded in float32 always; here they were rounded too.
  EXPECT_EQ(report.first_difference()->stage, Stage::kPatches) << failures(report);
  for (const StageReport& stage : report.stages) {
    EXPECT_TRUE(stage.within || stage.stage == Stage::kPatches) << stage.name;
  }
  EXPECT_GT(stage_of(report, "logits").logits->mean_kl, 0.0);
  recording.json["dtype"] = "float32";
  recording.write_case(folder);
  EXPECT_FALSE(stage_of(conform(model, folder.path()), "layer 0").within);
}

TEST(Conform, AGivenToleranceDecides) {
  const Recording recording("text_short_window");
  const auto model = recording.model();
  const ConformReport strict =
      conform(model, golden_recording("text_short_window"), {.tolerances = {.hidden = 0.0}});
  EXPECT_EQ(strict.first_difference()->name, "layer 0");
}

TEST(Conform, AnotherPromptOfTheSameShapeIsComparedFurther) {
  Recording recording("text_short_window");
  const auto last = recording.json["token_ids"].size() - 1;
  const auto id = recording.json["token_ids"][last].get<TokenId>();
  recording.json["token_ids"][last] = id - 1;
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path());
  EXPECT_EQ(report.first_difference()->stage, Stage::kTokenIds);
  EXPECT_NE(report.stages[0].note.find("first difference at position " + std::to_string(last) +
                                       ": " + std::to_string(id)),
            std::string::npos)
      << report.stages[0].note;
  EXPECT_TRUE(report.not_compared.empty());
  EXPECT_FALSE(stage_of(report, "input embeddings").within) << "computed from the recorded ids";
}

TEST(Conform, AnotherPromptOfAnotherShapeEndsTheComparison) {
  Recording recording("one_image");
  recording.json["messages"][0]["content"][1]["text"] = "What?";
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path());
  EXPECT_FALSE(report.not_compared.empty());
  EXPECT_TRUE(stage_of(report, "picture 0: soft tokens").within);
  EXPECT_FALSE(has(report, Stage::kLogits));
}

TEST(Conform, AnotherGreedyTokenIsReportedWithBothMargins) {
  Recording recording("text_short_window");
  Json& rule = recording.json["rules"]["canonical"];
  const auto id = rule["greedy_ids"][63].get<TokenId>();
  rule["greedy_ids"][63] = id + 1;
  rule["greedy_margins"] = std::vector<double>(64, 0.125);
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path());
  ASSERT_EQ(report.first_difference()->stage, Stage::kGreedy);
  const GreedyAgreement& greedy = *report.first_difference()->greedy;
  EXPECT_EQ(greedy.same, 63);
  EXPECT_EQ(greedy.first_difference, 63);
  EXPECT_EQ(greedy.reference_id, id + 1);
  EXPECT_EQ(greedy.engine_id, id);
  EXPECT_EQ(greedy.reference_margin, 0.125);
  EXPECT_GT(greedy.engine_margin, 0.0);
}

}  // namespace
}  // namespace nolens
