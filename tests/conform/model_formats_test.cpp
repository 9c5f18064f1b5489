// Models in other files than the one recorded: GGUF files, whose patch weights have another order,
// and weights quantised with bitsandbytes.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/conform.h"
#include "nolens/session.h"
#include "nolens/synthesize.h"

#include "conform/recording.h"
#include "engine/prompt_layout.h"
#include "preprocess/image_to_patches.h"

namespace nolens {
namespace {

using testing::golden_recording;
using testing::RecordedTensor;
using testing::Recording;

constexpr const char* kQuestion = "What is the shape in the middle?";

const StageReport& stage_of(const ConformReport& report, const std::string& name) {
  const auto found = std::find_if(report.stages.begin(), report.stages.end(),
                                  [&](const StageReport& stage) { return stage.name == name; });
  if (found == report.stages.end()) {
    throw std::runtime_error("no stage " + name);
  }
  return *found;
}

std::string differing(const ConformReport& report) {
  std::string names = report.not_compared;
  for (const StageReport& stage : report.stages) {
    names += stage.within ? "" : stage.name + " " + stage.note + "; ";
  }
  return names;
}

/// One random model as safetensors and as GGUF, and a recording of the first.
class GgufInConform : public ::testing::Test {
 protected:
  std::shared_ptr<const Model> make(const std::string& format, const std::string& type = {}) const {
    SynthesizeOptions options;
    options.preset =
        std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "cli" / "tiny_preset.json";
    options.seed = 5;
    options.format = format;
    options.dtype = "float32";
    options.type = type;
    options.out = folder_.path() / (format + type);
    synthesize_model(options);
    return Model::load(options.out, {.num_threads = 2, .exact = true});
  }

  /// What the engine computes for `model`, in the form of a recording; values in the order of
  /// docs/conform.md.
  void record(const std::shared_ptr<const Model>& model) const {
    Recording recording("one_image");
    const ModelConfig& config = model->config();
    const std::string file =
        read_file(golden_recording("one_image") / "picture_0.png", 1U << 20U, ErrorCode::kInput);
    const Image picture = Image::decode(std::as_bytes(std::span(file)), "picture");
    RecordedTensor logits{{0, config.text.vocab_size}, {}};
    Session session(model);
    const AppendResult prompt =
        session.append(testing::question(picture, kQuestion),
                       {.on_logits = [&](std::int64_t, std::span<const float> row) {
                         ++logits.shape[0];
                         logits.values.insert(logits.values.end(), row.begin(), row.end());
                       }});
    const PatchGrid grid =
        image_to_patches(picture, *config.vision, processor_for(config, false), 0, "picture");
    const AlignedBuffer<float> values = grid.values();
    const std::span<const float> patches = values.span();
    recording.json["token_ids"] = prompt.ids;
    recording.json["suppressed_ids"] = Json::array();
    recording.json["rules"] = {{"canonical", {{"greedy_ids", Json::array()}}}};
    recording.json["images"] = {
        {{"used_width", grid.used.width}, {"used_height", grid.used.height}}};
    recording.tensors = {
        {"image.0.patches",
         {{grid.num_patches(), grid.patch_values}, {patches.begin(), patches.end()}}},
        {"canonical.logits", logits}};
    recording.write(reference_);
  }

  ConformReport compare(const std::shared_ptr<const Model>& model) const {
    return conform(model, reference_.path());
  }

 private:
  TemporaryFolder folder_;
  TemporaryFolder reference_;
};

TEST_F(GgufInConform, AFileOfTheSameValuesMeetsTheRecordingInEveryStage) {
  record(make("safetensors"));
  const ConformReport report = compare(make("gguf"));
  EXPECT_EQ(report.first_difference(), nullptr) << differing(report);
  EXPECT_EQ(stage_of(report, "picture 0: patches").difference->max_abs, 0.0);
  EXPECT_LT(stage_of(report, "logits").difference->max_abs, 2e-4);
}

TEST_F(GgufInConform, AQuantisedFileDiffersInWhatTheWeightsMakeAlone) {
  record(make("safetensors"));
  const ConformReport report = compare(make("gguf", "q8_0"));
  EXPECT_TRUE(stage_of(report, "token ids").within);
  EXPECT_TRUE(stage_of(report, "picture 0: patches").within);
  ASSERT_NE(report.first_difference(), nullptr);
  EXPECT_EQ(report.first_difference()->name, "logits");
  EXPECT_GT(report.first_difference()->difference->min_cosine, 0.99);
}

class BitsAndBytesInConform : public ::testing::TestWithParam<const char*> {};

TEST_P(BitsAndBytesInConform, MeetsTheRecordingOfTheDequantisedWeights) {
  Recording recording(std::string("bnb/") + GetParam());
  recording.json["rules"] = {{"canonical", {{"greedy_ids", Json::array()}}}};
  recording.json["images"][0].erase("resized");  // the hash is there, the picture is not
  const TemporaryFolder folder;
  recording.write(folder);
  const ConformReport report = conform(recording.model(), folder.path());
  EXPECT_EQ(report.first_difference(), nullptr) << differing(report);
  EXPECT_TRUE(stage_of(report, "picture 0: patches").within);
  EXPECT_GT(stage_of(report, "logits").difference->rows, 1);
}

INSTANTIATE_TEST_SUITE_P(Types, BitsAndBytesInConform, ::testing::Values("nf4", "fp4", "int8"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nolens
