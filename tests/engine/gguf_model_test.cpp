// A model as safetensors and as GGUF is the same model.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/synthesize.h"

#include "engine/model_impl.h"
#include "engine/model_source.h"
#include "formats/temporary_folder.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

using testing::question;
using testing::striped_picture;

/// Writes both forms of one random model once for all tests.
class GgufModel : public ::testing::Test {
 protected:
  static fs::path make(const std::string& format, const std::string& dtype,
                       const std::string& type = {}) {
    SynthesizeOptions options;
    options.preset = fs::path(NOLENS_SOURCE_DIR) / "tests" / "cli" / "tiny_preset.json";
    options.seed = 11;
    options.format = format;
    options.dtype = dtype;
    options.type = type;
    options.out = folder().path() / (format + dtype + type);
    if (!fs::exists(options.out)) {
      synthesize_model(options);
    }
    return options.out;
  }
  static const TemporaryFolder& folder() {
    static const TemporaryFolder shared;
    return shared;
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
  static Prompt text() { return question("What colour is it? 12345"); }
  static Prompt picture() { return question(striped_picture(40, 30, 1), "What is it?"); }
  /// Largest difference, as a share of the largest value.
  static double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - b[i]));
      largest = std::max(largest, std::fabs(static_cast<double>(a[i])));
    }
    return difference / largest;
  }
  static std::string refusal(ErrorCode code, const fs::path& path, const fs::path& mmproj = {}) {
    LoadOptions options{.num_threads = 1};
    options.mmproj = mmproj;
    return error_of(code, [&] { Model::load(path, options); });
  }
};

TEST_F(GgufModel, TextGivesTheSameBitsInFloat32) {
  EXPECT_EQ(logits(load(make("safetensors", "float32")), text()),
            logits(load(make("gguf", "float32")), text()));
}

TEST_F(GgufModel, TextGivesTheSameBitsInBfloat16) {
  EXPECT_EQ(logits(load(make("safetensors", "bfloat16")), text()),
            logits(load(make("gguf", "bfloat16")), text()));
}

TEST_F(GgufModel, PicturesAreSeenAlikeAlthoughTheirValuesComeInAnotherOrder) {
  // The first norm adds the values of a patch in another order, so the last bits differ.
  const auto expected = logits(load(make("safetensors", "float32")), picture());
  EXPECT_LT(distance(expected, logits(load(make("gguf", "float32")), picture())), 1e-5);
}

TEST_F(GgufModel, QuantisedFilesStayNear) {
  const auto expected = logits(load(make("safetensors", "bfloat16")), picture());
  EXPECT_LT(distance(expected, logits(load(make("gguf", "bfloat16", "f16")), picture())), 0.05);
  EXPECT_LT(distance(expected, logits(load(make("gguf", "bfloat16", "q8_0")), picture())), 0.3);
}

TEST_F(GgufModel, ConfigTokenizerAndDefaultsAreTheSame) {
  const auto a = load(make("safetensors", "bfloat16"));
  const auto b = load(make("gguf", "bfloat16"));
  EXPECT_EQ(a->config().model_type, b->config().model_type);
  EXPECT_EQ(a->config().source_dtype, b->config().source_dtype);
  EXPECT_EQ(a->config().tokens.image, b->config().tokens.image);
  EXPECT_EQ(a->config().tokens.video, b->config().tokens.video);
  EXPECT_EQ(a->config().generation.suppress_tokens, b->config().generation.suppress_tokens);
  EXPECT_EQ(a->config().generation.top_k, b->config().generation.top_k);
  EXPECT_TRUE(b->config().generation.do_sample);
  EXPECT_EQ(a->impl().hidden_tokens, b->impl().hidden_tokens);
  auto stops_a = a->impl().stop_tokens;
  auto stops_b = b->impl().stop_tokens;
  for (auto* stops : {&stops_a, &stops_b}) {
    std::sort(stops->begin(), stops->end());
    stops->erase(std::unique(stops->begin(), stops->end()), stops->end());
  }
  EXPECT_EQ(stops_a, stops_b);
  const std::string sentence = "<bos><|turn>user\nA  b\u00E9<|tool_call>\xFF";
  for (const ParseSpecial parse : {ParseSpecial::kNo, ParseSpecial::kYes}) {
    EXPECT_EQ(a->tokenizer().encode(sentence, parse), b->tokenizer().encode(sentence, parse));
  }
  EXPECT_EQ(load_tokenizer(make("gguf", "bfloat16")).encode(sentence),
            a->tokenizer().encode(sentence));
}

TEST_F(GgufModel, SaysWhatTheFilesAre) {
  const auto model = load(make("gguf", "bfloat16", "q8_0"));
  EXPECT_EQ(model->format(), "GGUF v3, Q8_0");
  const auto types = model->tensor_types();
  EXPECT_TRUE(std::any_of(types.begin(), types.end(), [](const TensorTypeCount& count) {
    return count.dtype == "Q8_0" && count.tensors > 10;
  }));
}

TEST_F(GgufModel, TheFileAndItsFolderMeanTheSame) {
  const fs::path directory = make("gguf", "float32");
  const ModelFiles files = find_model_files(directory);
  EXPECT_EQ(files.gguf, directory / "model-F32.gguf");
  EXPECT_EQ(files.mmproj, directory / "mmproj-F32.gguf");
  EXPECT_EQ(find_model_files(directory / "model-F32.gguf").mmproj, files.mmproj);
  const ModelFiles named = find_model_files(directory, "elsewhere.gguf");
  EXPECT_EQ(named.mmproj, "elsewhere.gguf");
  EXPECT_TRUE(named.mmproj_was_named);
  EXPECT_EQ(find_model_files(make("safetensors", "float32")).directory,
            make("safetensors", "float32"));
}

TEST_F(GgufModel, WithoutAProjectorFileItTakesTextOnly) {
  const TemporaryFolder alone;
  fs::copy(make("gguf", "float32") / "model-F32.gguf", alone.path() / "m.gguf");
  const auto model = load(alone.path());
  EXPECT_EQ(model->config().model_type, "gemma4_unified_text");
  EXPECT_FALSE(model->config().vision.has_value());
  EXPECT_EQ(logits(model, text()), logits(load(make("gguf", "float32")), text()));
}

TEST_F(GgufModel, FoldersThatCouldMeanSeveralThingsAreRefused) {
  const TemporaryFolder mixed;
  const fs::path source = make("gguf", "float32");
  fs::copy(source / "mmproj-F32.gguf", mixed.path() / "mmproj-F32.gguf");
  EXPECT_THAT(refusal(ErrorCode::kModel, mixed.path()), HasSubstr("no language model"));
  EXPECT_THAT(refusal(ErrorCode::kModel, mixed.path() / "mmproj-F32.gguf"), HasSubstr("--mmproj"));
  fs::copy(source / "model-F32.gguf", mixed.path() / "one.gguf");
  fs::copy(source / "model-F32.gguf", mixed.path() / "two.gguf");
  EXPECT_THAT(refusal(ErrorCode::kModel, mixed.path()),
              AllOf(HasSubstr("one.gguf, two.gguf"), HasSubstr("name one")));
  fs::copy(source / "mmproj-F32.gguf", mixed.path() / "mmproj-two.gguf");
  EXPECT_THAT(refusal(ErrorCode::kModel, mixed.path() / "one.gguf"), HasSubstr("--mmproj FILE"));
  EXPECT_EQ(find_model_files(mixed.path() / "two.gguf").mmproj, mixed.path() / "mmproj-two.gguf");
  EXPECT_THAT(
      refusal(ErrorCode::kUsage, make("safetensors", "float32"), source / "mmproj-F32.gguf"),
      HasSubstr("is for GGUF models"));
  EXPECT_THAT(refusal(ErrorCode::kModel, source, mixed.path() / "one.gguf"),
              HasSubstr("no projector file"));
}

TEST_F(GgufModel, AProjectorFileThatWasOnlyFoundAndDoesNotFitIsAWarning) {
  const TemporaryFolder mixed;
  const fs::path source = make("gguf", "float32");
  fs::copy(source / "model-F32.gguf", mixed.path() / "m.gguf");
  std::ifstream in(source / "mmproj-F32.gguf", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  bytes.replace(bytes.find("gemma4uv"), 8, "pixtralx");
  mixed.add("mmproj-other.gguf", bytes);
  std::string warning;
  LoadOptions options{.num_threads = 1};
  options.log = [&](LogLevel, std::string_view line) { warning += line; };
  EXPECT_FALSE(Model::load(mixed.path(), options)->config().vision.has_value());
  EXPECT_THAT(warning, AllOf(HasSubstr("mmproj-other.gguf"), HasSubstr("pixtralx")));
  EXPECT_THAT(refusal(ErrorCode::kModel, mixed.path(), mixed.path() / "mmproj-other.gguf"),
              HasSubstr("pixtralx"));
}

TEST_F(GgufModel, ACutFileIsRefused) {  // T24
  const TemporaryFolder cut;
  const fs::path file = cut.path() / "m.gguf";
  fs::copy(make("gguf", "float32") / "model-F32.gguf", file);
  for (const std::uintmax_t keep :
       {fs::file_size(file) - 100, std::uintmax_t{20'000}, std::uintmax_t{0}}) {
    fs::resize_file(file, keep);
    EXPECT_THAT(refusal(ErrorCode::kModel, file), HasSubstr("m.gguf"));
  }
}

}  // namespace
}  // namespace nolens
