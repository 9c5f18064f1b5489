#include "nolens/synthesize.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/float16.h"
#include "formats/assistant_config.h"
#include "formats/config_reader.h"
#include "formats/finite.h"
#include "formats/presets.h"
#include "formats/synthetic_tokenizer.h"
#include "formats/synthetic_values.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_specs.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// A preset file of the released shape with tiny sizes.
std::filesystem::path tiny_preset(const TemporaryFolder& folder) {
  Json preset = preset_json("gemma-4-12b");
  Json& text = preset["config"]["text_config"];
  text["hidden_size"] = 64;
  text["intermediate_size"] = 96;
  text["num_attention_heads"] = 4;
  text["num_key_value_heads"] = 2;
  text["head_dim"] = 16;
  text["global_head_dim"] = 32;
  Json& vision = preset["config"]["vision_config"];
  vision["mm_embed_dim"] = 64;
  vision["output_proj_dims"] = 64;
  return folder.add("tiny.json", preset.dump());
}

SynthesizeOptions tiny_options(const TemporaryFolder& folder, const std::string& name) {
  SynthesizeOptions options;
  options.preset = tiny_preset(folder);
  options.num_layers = 7;
  options.vocab_size = 700;
  options.out = folder.path() / name;
  return options;
}

TEST(Synthesize, WritesADirectoryThatLoads) {
  const TemporaryFolder folder;
  for (const char* dtype : {"bfloat16", "float16", "float32"}) {
    SynthesizeOptions options = tiny_options(folder, dtype);
    options.dtype = dtype;
    double last = 0;
    options.progress = [&](double fraction) {
      EXPECT_GE(fraction, last);
      last = fraction;
    };
    synthesize_model(options);
    EXPECT_EQ(last, 1.0);
    std::string log;
    const LogSink sink = [&](LogLevel, std::string_view line) { log += line; };
    const ModelConfig config = read_model_config(options.out, sink);
    const TensorStore store = TensorStore::open_directory(options.out);
    check_tensors(config, store, sink);
    EXPECT_EQ(log, "");
    for (const TensorView& tensor : store.tensors()) {
      EXPECT_NO_THROW(check_finite(tensor));
    }
    EXPECT_EQ(config.text.num_hidden_layers, 7);
    EXPECT_EQ(config.text.layers[5].type, LayerType::kFullAttention);
    EXPECT_EQ(config.text.layers[6].type, LayerType::kFullAttention);
    EXPECT_EQ(config.text.layers[4].type, LayerType::kSlidingAttention);
    EXPECT_EQ(config.text.vocab_size, 700);
    EXPECT_EQ(config.tokens.video, 699);
    EXPECT_EQ(config.tokens.boi, 693);
    EXPECT_THAT(config.generation.suppress_tokens,
                ElementsAre(config.tokens.eoa, config.tokens.eoi));
  }
}

TEST(Synthesize, WritesAnAssistantAsItIsPublished) {
  const TemporaryFolder folder;
  SynthesizeOptions options;
  options.preset = "gemma-4-12b-assistant";
  options.vocab_size = 700;
  for (const std::int64_t layers : {0, 6}) {
    Json preset = preset_json(options.preset);
    Json& text = preset["config"]["text_config"];
    text["hidden_size"] = 48;
    text["intermediate_size"] = 80;
    SynthesizeOptions changed = options;
    changed.preset = folder.add("assistant.json", preset.dump());
    changed.num_layers = layers;
    changed.out = folder.path() / ("layers-" + std::to_string(layers));
    synthesize_model(changed);
    std::string log;
    const LogSink sink = [&](LogLevel, std::string_view line) { log += line; };
    const AssistantConfig config = read_assistant_config(changed.out, sink);
    const TensorStore store = TensorStore::open_directory(changed.out);
    check_tensors(tensor_specs(config), "assistant", store, sink);
    EXPECT_EQ(log, "");
    EXPECT_NE(store.find("model.layers.3.self_attn.q_proj.weight"), nullptr);
    EXPECT_EQ(config.decoder.text.num_hidden_layers, layers == 0 ? 4 : layers);
    EXPECT_EQ(config.decoder.text.layers.back().type, LayerType::kFullAttention);
    EXPECT_EQ(config.decoder.text.vocab_size, 700);
    EXPECT_EQ(config.backbone_hidden_size, 3840);
    EXPECT_FALSE(std::filesystem::exists(changed.out / "tokenizer.json"));
  }
  options.format = "gguf";
  options.out = folder.path() / "gguf";
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { synthesize_model(options); }),
              HasSubstr("safetensors only"));
  EXPECT_FALSE(std::filesystem::exists(options.out));
}

TEST(Synthesize, DependsOnTheSeedOnly) {
  const TemporaryFolder folder;
  SynthesizeOptions options = tiny_options(folder, "a");
  synthesize_model(options);
  options.out = folder.path() / "b";
  synthesize_model(options);
  options.out = folder.path() / "c";
  options.seed = 1;
  synthesize_model(options);
  const std::string a = content_of(folder.path() / "a" / "model.safetensors");
  EXPECT_TRUE(a == content_of(folder.path() / "b" / "model.safetensors"));
  EXPECT_FALSE(a == content_of(folder.path() / "c" / "model.safetensors"));
}

TEST(Synthesize, RefusesWhatCannotBeAsked) {
  const TemporaryFolder folder;
  const SynthesizeOptions good = tiny_options(folder, "out");
  const auto refusal = [&](auto change) {
    SynthesizeOptions options = good;
    change(options);
    return error_of(ErrorCode::kUsage, [&] { synthesize_model(options); });
  };
  EXPECT_THAT(refusal([](auto& o) { o.preset = "nothing"; }), HasSubstr("neither a preset"));
  EXPECT_THAT(refusal([](auto& o) { o.dtype = "int8"; }), HasSubstr("use bfloat16"));
  EXPECT_THAT(refusal([](auto& o) { o.num_layers = -1; }), HasSubstr("expected 1 to 1024"));
  EXPECT_THAT(refusal([](auto& o) { o.num_layers = 2000; }), HasSubstr("expected 1 to 1024"));
  EXPECT_THAT(refusal([](auto& o) { o.vocab_size = 100; }), HasSubstr("expected 640"));
  EXPECT_THAT(refusal([&](auto& o) { o.out = folder.path(); }), HasSubstr("is not empty"));
  EXPECT_THAT(refusal([&](auto& o) { o.out = o.preset; }), HasSubstr("is a file"));
  EXPECT_THAT(refusal([&](auto& o) { o.out = folder.path() / "x" / "y"; }),
              HasSubstr("cannot make the directory"));
  EXPECT_THAT(folder.names(), ElementsAre("tiny.json"));
}

TEST(Synthesize, SaysBeforehandThatTheDiskIsTooSmall) {
  const TemporaryFolder folder;
  Json preset = preset_json("article-70b");
  preset["config"]["text_config"]["intermediate_size"] = 1 << 20;
  SynthesizeOptions options;
  options.preset = folder.add("huge.json", preset.dump());
  options.num_layers = 1024;
  options.out = folder.path() / "out";
  EXPECT_THAT(error_of(ErrorCode::kResource, [&] { synthesize_model(options); }),
              AllOf(HasSubstr("the model needs"), HasSubstr("are free")));
  EXPECT_THAT(folder.names(), ElementsAre("huge.json"));
}

TEST(Synthesize, CleansUpWhenItIsStopped) {
  const TemporaryFolder folder;
  SynthesizeOptions options = tiny_options(folder, "out");
  options.progress = [](double) { throw Error(ErrorCode::kInterrupted, "stopped"); };
  EXPECT_EQ(error_of(ErrorCode::kInterrupted, [&] { synthesize_model(options); }), "stopped");
  EXPECT_THAT(folder.names(), ElementsAre("tiny.json"));
  std::filesystem::create_directory(options.out);
  EXPECT_EQ(error_of(ErrorCode::kInterrupted, [&] { synthesize_model(options); }), "stopped");
  EXPECT_THAT(folder.names(), UnorderedElementsAre("tiny.json", "out"));
  EXPECT_TRUE(std::filesystem::is_empty(options.out));
}

TEST(SyntheticValues, AreNormalWithTheAskedMeanAndDeviation) {
  std::vector<float> values(400'000);
  fill_synthetic("w", 5, {0.5F, 2.0F}, DType::kF32, 0, std::as_writable_bytes(std::span(values)));
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const float value : values) {
    const double z = (value - 0.5) / 2.0;
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0.0, 0.01);
  EXPECT_NEAR(squares / count, 1.0, 0.01);
  EXPECT_NEAR(fourth / count, 3.0, 0.1);
}

TEST(SyntheticValues, DoNotDependOnHowTheWorkIsCut) {
  std::vector<std::uint16_t> whole(1001);
  fill_synthetic("w", 5, {0, 1}, DType::kBf16, 0, std::as_writable_bytes(std::span(whole)));
  std::vector<std::uint16_t> pieces(1001);
  for (std::size_t begin = 0; begin < pieces.size();) {
    const std::size_t size = std::min<std::size_t>(1 + begin % 7, pieces.size() - begin);
    fill_synthetic("w", 5, {0, 1}, DType::kBf16, static_cast<std::int64_t>(begin),
                   std::as_writable_bytes(std::span(pieces).subspan(begin, size)));
    begin += size;
  }
  EXPECT_EQ(whole, pieces);
  std::vector<std::uint16_t> other(1001);
  fill_synthetic("v", 5, {0, 1}, DType::kBf16, 0, std::as_writable_bytes(std::span(other)));
  EXPECT_NE(whole, other);
}

TEST(SyntheticTokenizer, HasEveryIdOnceAndTheSpecialOnesWhereTheConfigSays) {
  const ModelConfig config = preset_config(preset_json("gemma-4-12b"), "m");
  const Json json = parse_json(synthetic_tokenizer_json(config.tokens, config.text.vocab_size),
                               "tokenizer.json", ErrorCode::kModel);
  const Json& vocab = json.at("model").at("vocab");
  EXPECT_EQ(vocab.size(), 262'144U);
  EXPECT_EQ(vocab.at("<pad>"), 0);
  EXPECT_EQ(vocab.at("<eos>"), 1);
  EXPECT_EQ(vocab.at("<bos>"), 2);
  EXPECT_EQ(vocab.at("<|turn>"), 105);
  EXPECT_EQ(vocab.at("\n"), 107);
  EXPECT_EQ(vocab.at("<0x00>"), 238);
  EXPECT_EQ(vocab.at("<0xFF>"), 493);
  EXPECT_EQ(vocab.at("<|image|>"), 258'880);
  EXPECT_EQ(vocab.at("<|video|>"), 258'884);
  EXPECT_EQ(json.at("added_tokens").size(), 24U);
  for (const Json& token : json.at("added_tokens")) {
    EXPECT_EQ(vocab.at(token.at("content").get<std::string>()), token.at("id"));
    EXPECT_EQ(token.at("special"), true);
  }
}

TEST(SyntheticTokenizer, RefusesOneIdForTwoTokens) {
  SpecialTokens tokens;
  tokens.eos = {106};
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { synthetic_tokenizer_json(tokens, 1000); }),
              HasSubstr("106"));
}

}  // namespace
}  // namespace nolens
