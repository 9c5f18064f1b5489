// What Model::load refuses, and with which sentence.
#include "nolens/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "nolens/error.h"
#include "nolens/session.h"

#include "platform/cpu_affinity.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A copy of a small model that a test may damage.
class DamagedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "nolens-model-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    fs::copy(testing::tiny_model_path(), directory_, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(directory_); }

  void expect_refused(const char* sentence) {
    try {
      Model::load(directory_, {.num_threads = 1});
      ADD_FAILURE() << "the model was loaded; expected an error with '" << sentence << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kModel) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(sentence));
    }
  }
  void replace_in(const char* file, const std::string& from, const std::string& to) {
    std::ifstream in(directory_ / file);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    in.close();
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from << " is not in " << file;
    std::ofstream(directory_ / file) << text.replace(at, from.size(), to);
  }

  fs::path directory_;
};

TEST_F(DamagedModel, LoadsUndamaged) {
  const auto model = Model::load(directory_, {.num_threads = 1});
  EXPECT_EQ(model->config().model_type, "gemma4_unified");
  EXPECT_GT(model->num_parameters(), 0);
  EXPECT_TRUE(model->config().vision.has_value());
}

TEST_F(DamagedModel, MissingFilesAreNamed) {
  fs::remove(directory_ / "tokenizer.json");
  expect_refused("tokenizer.json");
  fs::remove(directory_ / "model.safetensors");
  expect_refused("safetensors");
  fs::remove(directory_ / "config.json");
  expect_refused("config.json");
  fs::remove_all(directory_);
  expect_refused(directory_.filename().c_str());
}

TEST_F(DamagedModel, TruncatedWeightsAreRefused) {
  const fs::path file = directory_ / "model.safetensors";
  fs::resize_file(file, fs::file_size(file) - 100);
  expect_refused("model.safetensors");
}

TEST_F(DamagedModel, ShapesThatDisagreeWithTheConfigAreListed) {
  replace_in("config.json", "\"intermediate_size\": 96", "\"intermediate_size\": 90");
  expect_refused("gate_proj");
}

TEST_F(DamagedModel, AnUnknownArchitectureIsNamed) {
  replace_in("config.json", "\"model_type\": \"gemma4_unified\"", "\"model_type\": \"gpt9\"");
  expect_refused("gpt9");
}

TEST_F(DamagedModel, NotANumberInAWeightIsFound) {
  const fs::path file = directory_ / "model.safetensors";
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-8, std::ios::end);
  const float nan = std::nanf("");
  stream.write(reinterpret_cast<const char*>(&nan), sizeof(nan));
  stream.close();
  expect_refused("NaN");
  EXPECT_NO_THROW(Model::load(directory_, {.num_threads = 1, .allow_nonfinite = true}));
}

TEST_F(DamagedModel, ATokenizerWithoutTheImageTokenIsRefused) {
  replace_in("config.json", "\"image_token_id\": ", "\"image_token_id\": 51100 , \"was\": ");
  expect_refused("image_token_id");
}

TEST_F(DamagedModel, AnUnknownChatTemplateIsAWarning) {
  std::ofstream(directory_ / "chat_template.jinja") << "{{ messages }}";
  std::string warning;
  const auto model = Model::load(
      directory_, {.num_threads = 1, .log = [&](LogLevel, std::string_view line) { warning += line; }});
  EXPECT_THAT(warning, HasSubstr("chat_template.jinja"));
}

/// Logits of all positions, and the processors that the caller had during the steps.
std::pair<std::vector<float>, std::vector<int>> read_with(const LoadOptions& options) {
  const auto model = testing::tiny_model(options);
  Session session(model);
  std::pair<std::vector<float>, std::vector<int>> seen;
  session.append(testing::question("Hello"),
                 {.on_logits = [&](std::int64_t, std::span<const float> logits) {
                   seen.first.insert(seen.first.end(), logits.begin(), logits.end());
                   seen.second = usable_cpus();
                 }});
  return seen;
}

TEST(Model, AffinityIsForStepsAndOnlyWhereAskedFor) {
  const std::vector<int> before = usable_cpus();
  const auto [logits, cpus] = read_with({.num_threads = 0});
  EXPECT_EQ(cpus, before);
  const auto [pinned_logits, pinned_cpus] = read_with({.num_threads = 0, .affinity = true});
  EXPECT_EQ(pinned_cpus, std::vector{one_cpu_per_core().front()});
  EXPECT_EQ(pinned_logits, logits);
  EXPECT_EQ(usable_cpus(), before);
}

TEST(Model, MoreThreadsThanCoresCannotHaveOneEach) {
  const int threads = static_cast<int>(one_cpu_per_core().size()) + 1;
  EXPECT_NO_THROW(testing::tiny_model({.num_threads = threads}));
  try {
    testing::tiny_model({.num_threads = threads, .affinity = true});
    FAIL() << threads << " threads were kept on " << threads - 1 << " cores";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("--affinity"));
  }
}

TEST(Model, KvCacheSizeOfTheReleasedModel) {
  // 8 full layers of 2 * 512 values and 40 sliding ones of 2 * 2048, half precision, 512 rows a step.
  ModelConfig config;
  config.source_dtype = SourceDtype::kBfloat16;
  config.text.sliding_window = 1024;
  for (int i = 0; i < 48; ++i) {
    const bool full = i % 6 == 5;
    config.text.layers.push_back({full ? LayerType::kFullAttention : LayerType::kSlidingAttention,
                                  full ? 512 : 256, full ? 1 : 8, full});
  }
  EXPECT_EQ(kv_cache_bytes(config, 4096, false), 8 * 4096 * 2048 + 40 * (1024 + 384) * 8192);
  EXPECT_EQ(kv_cache_bytes(config, 4096, true), 2 * kv_cache_bytes(config, 4096, false));
  EXPECT_EQ(kv_cache_bytes(config, 4096, false, KvCacheType::kBf16),
            kv_cache_bytes(config, 4096, false));
  // A key has a float per 64 of its values, a value one.
  EXPECT_EQ(kv_cache_bytes(config, 4096, false, KvCacheType::kInt8),
            8 * 4096 * (512 + 32 + 512 + 4) + 40 * (1024 + 384) * 8 * (256 + 16 + 256 + 4));
}

}  // namespace
}  // namespace nolens
