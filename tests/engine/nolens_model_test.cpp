// A model as a .nolens file is the model it was made of.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/quantize.h"
#include "nolens/synthesize.h"

#include "formats/temporary_folder.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::question;
using testing::striped_picture;

class NolensModel : public ::testing::Test {
 protected:
  fs::path quantize(const fs::path& source, const std::string& format,
                    const std::string& name = "m.nolens") {
    QuantizeOptions options;
    options.out = folder_.path() / name;
    options.format = format;
    options.num_threads = 2;
    result_ = quantize_model(source, options);
    return options.out;
  }
  static std::shared_ptr<const Model> load(const fs::path& path) {
    LoadOptions options{.num_threads = 2};
    options.log = [](LogLevel, std::string_view line) { ADD_FAILURE() << line; };
    return Model::load(path, options);
  }
  static std::vector<float> logits(const std::shared_ptr<const Model>& model,
                                   const Prompt& prompt) {
    Session session(model);
    session.append(prompt);
    return {session.logits().begin(), session.logits().end()};
  }
  static Prompt picture() { return question(striped_picture(40, 30, 1), "What is it?"); }

  static void expect_same_model(const fs::path& a, const fs::path& b) {
    const auto first = load(a);
    const auto second = load(b);
    EXPECT_EQ(logits(first, picture()), logits(second, picture()));
    EXPECT_EQ(first->config().name, second->config().name);
    EXPECT_EQ(first->config().source_dtype, second->config().source_dtype);
    EXPECT_EQ(first->config().generation.suppress_tokens,
              second->config().generation.suppress_tokens);
    EXPECT_EQ(first->chat_family(), second->chat_family());
    EXPECT_EQ(first->num_parameters(), second->num_parameters());
    EXPECT_EQ(load_tokenizer(a).encode("Text, 12\n"), load_tokenizer(b).encode("Text, 12\n"));
  }

  fs::path synthesize(const std::string& format, const std::string& type) {
    SynthesizeOptions options;
    options.preset = fs::path(NOLENS_SOURCE_DIR) / "tests" / "cli" / "tiny_preset.json";
    options.format = format;
    options.type = type;
    options.out = folder_.path() / ("source" + type);
    synthesize_model(options);
    return options.out;
  }
  static fs::path golden(const std::string& name) {
    return fs::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / name;
  }

  TemporaryFolder folder_;
  QuantizeResult result_;
};

TEST_F(NolensModel, KeepsSafetensorsAsTheyAre) {
  expect_same_model(testing::tiny_model_path(), quantize(testing::tiny_model_path(), "keep"));
}

TEST_F(NolensModel, KeepsGgufFilesWithPicturesAsTheyAre) {
  for (const char* type : {"q4_0", "q5_1", "q8_0", "f16"}) {
    const fs::path source = synthesize("gguf", type);
    expect_same_model(source, quantize(source, "keep", std::string(type) + ".nolens"));
  }
}

TEST_F(NolensModel, KeepsBitsAndBytesAsTheyAre) {
  for (const char* kind : {"bnb/nf4", "bnb/fp4", "bnb/int8"}) {
    expect_same_model(golden(kind), quantize(golden(kind), "keep"));
  }
}

TEST_F(NolensModel, KeepsTheFormatThatWasAskedForBitForBit) {
  const fs::path source = synthesize("gguf", "q4_0");
  const std::string kept = content_of(quantize(source, "keep"));
  const std::string asked = content_of(quantize(source, "q4_0"));
  EXPECT_TRUE(result_.notes.empty());
  EXPECT_EQ(kept.size(), asked.size());
  expect_same_model(source, folder_.path() / "m.nolens");
}

TEST_F(NolensModel, ComputesWithEveryFormat) {
  const fs::path source = testing::tiny_model_path();
  const std::vector<float> exact = logits(load(source), picture());
  for (const std::string& format : quantize_formats()) {
    const fs::path file = quantize(source, format);
    verify_model_file(file);
    const std::vector<float> found = logits(load(file), picture());
    double dot = 0.0;
    double a = 0.0;
    double b = 0.0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      dot += static_cast<double>(found[i]) * static_cast<double>(exact[i]);
      a += static_cast<double>(found[i]) * static_cast<double>(found[i]);
      b += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
    }
    // Weights that are mixed up give unrelated logits.
    EXPECT_GT(dot, 0.9 * std::sqrt(a * b)) << format;
  }
}

TEST_F(NolensModel, RemembersWhatTheWeightsWereBefore) {
  const auto before = load(testing::tiny_model_path())->config().source_dtype;
  EXPECT_EQ(load(quantize(testing::tiny_model_path(), "nf4"))->config().source_dtype, before);
}

TEST_F(NolensModel, RefusesToReplaceAPartOfItsSource) {
  const fs::path source = folder_.path() / "source";
  fs::copy(testing::tiny_model_path(), source);
  const fs::path out = source / "m.nolens";
  const auto refusal = [&] {
    return error_of(ErrorCode::kUsage, [&] { quantize(source, "q8_0", "source/m.nolens"); });
  };
  fs::create_hard_link(source / "model.safetensors", out);
  EXPECT_THAT(refusal(), HasSubstr("same file"));
  fs::remove(out);
  fs::create_symlink("model.safetensors", out);
  EXPECT_THAT(refusal(), HasSubstr("same file"));
  fs::remove(out);
  quantize(source, "q8_0", "source/m.nolens");
  quantize(source, "q8_0", "source/m.nolens");  // its own earlier output may be replaced
}

TEST_F(NolensModel, RefusesOptionsThatMakeNoSense) {
  const fs::path source = testing::tiny_model_path();
  const auto refusal = [&](const std::string& format, const std::string& name) {
    return error_of(ErrorCode::kUsage, [&] { quantize(source, format, name); });
  };
  EXPECT_THAT(refusal("nf4", "m.safetensors"), HasSubstr("end in .nolens"));
  EXPECT_THAT(refusal("q3_k", "m.nolens"), HasSubstr("q3_k"));
  const fs::path made = quantize(source, "q8_0");
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { quantize(made, "nf4", "n.nolens"); }),
              HasSubstr("already"));
  EXPECT_THAT(error_of(ErrorCode::kUsage,
                       [&] {
                         LoadOptions options;
                         options.mmproj = source;
                         Model::load(made, options);
                       }),
              HasSubstr("holds all of its model"));
  QuantizeOptions options;
  options.out = folder_.path() / "n.nolens";
  options.format = "q8_0";
  options.double_quant = true;
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { quantize_model(source, options); }),
              HasSubstr("nf4 and fp4"));
}

TEST_F(NolensModel, GroupsSayHowManyBitsAWeightHas) {
  const auto model = load(quantize(testing::tiny_model_path(), "q8_0"));
  bool seen = false;
  for (const TensorGroup& group : model->tensor_groups()) {
    if (group.name == "attention") {
      seen = true;
      EXPECT_EQ(group.format, "Q8_0");
      EXPECT_EQ(group.layout, "panels");
      EXPECT_GE(8 * group.bytes, group.parameters * 17 / 2);
    }
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace nolens
