// What is written can be read, block by block and as a whole model.
#include <array>
#include <cstring>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/synthesize.h"

#include "core/float16.h"
#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_names.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/gguf/quantize_blocks.h"
#include "formats/gguf_bytes.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_specs.h"
#include "formats/tensor_values.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<float> ramp() {
  std::vector<float> values(32);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<float>(i) - 20.0F) * 0.25F;
  }
  return values;
}

std::vector<std::uint8_t> quantised(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(row_bytes(dtype, static_cast<std::int64_t>(values.size()))));
  quantize_row(dtype, values, bytes);
  std::vector<std::uint8_t> result;
  for (const std::byte byte : bytes) {
    result.push_back(std::to_integer<std::uint8_t>(byte));
  }
  return result;
}

float half_at(const std::vector<std::uint8_t>& bytes, std::size_t offset) {
  return to_float(F16{static_cast<std::uint16_t>(bytes[offset] | bytes[offset + 1] << 8)});
}

// The value furthest from zero is -5.
TEST(QuantizeBlocks, Q8_0ScalesByTheLargestValue) {
  const auto block = quantised(DType::kQ8_0, ramp());
  EXPECT_EQ(half_at(block, 0), to_float(to_f16(5.0F / 127.0F)));
  EXPECT_EQ(static_cast<std::int8_t>(block[2]), -127);
  EXPECT_EQ(static_cast<std::int8_t>(block[2 + 20]), 0);
  EXPECT_EQ(static_cast<std::int8_t>(block[2 + 31]), 70);  // 2.75 * 127 / 5 = 69.85
}

TEST(QuantizeBlocks, Q4_0GivesTheFurthestValueCodeZero) {
  const auto block = quantised(DType::kQ4_0, ramp());
  EXPECT_EQ(half_at(block, 0), 0.625F);
  EXPECT_EQ(block[2] & 15, 0);
  EXPECT_EQ(block[2] >> 4, 6);        // value 16: -1 / 0.625 + 8.5 = 6.9
  EXPECT_EQ(block[2 + 15] >> 4, 12);  // value 31: 2.75 / 0.625 + 8.5 = 12.9
  std::vector<float> zeros(32, 0.0F);
  EXPECT_EQ(half_at(quantised(DType::kQ4_0, zeros), 0), 0.0F);
}

TEST(QuantizeBlocks, EveryTypeComesBackWithinHalfAStep) {
  const std::vector<float> values = ramp();
  const auto q4_1 = quantised(DType::kQ4_1, values);
  const auto q5_0 = quantised(DType::kQ5_0, values);
  const auto q5_1 = quantised(DType::kQ5_1, values);
  const auto nibble = [](const std::vector<std::uint8_t>& block, std::size_t offset,
                         std::size_t i) {
    return i < 16 ? block[offset + i] & 15 : block[offset + i - 16] >> 4;
  };
  const auto fifth = [](const std::vector<std::uint8_t>& block, std::size_t offset, std::size_t i) {
    return ((block[offset + i / 8] >> (i % 8)) & 1) << 4;
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float a = half_at(q4_1, 0) * static_cast<float>(nibble(q4_1, 4, i)) + half_at(q4_1, 2);
    EXPECT_NEAR(a, values[i], 0.5F * half_at(q4_1, 0) + 1e-3F) << i;
    const int code = nibble(q5_0, 6, i) | fifth(q5_0, 2, i);
    EXPECT_NEAR(half_at(q5_0, 0) * static_cast<float>(code - 16), values[i],
                0.5F * half_at(q5_0, 0) + 1e-3F)
        << i;
    const float c = half_at(q5_1, 0) * static_cast<float>(nibble(q5_1, 8, i) | fifth(q5_1, 4, i)) +
                    half_at(q5_1, 2);
    EXPECT_NEAR(c, values[i], 0.5F * half_at(q5_1, 0) + 1e-3F) << i;
  }
}

TEST(GgufWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "w.gguf";
  GgufMetadata keys;
  keys.add_text("general.architecture", "x");
  keys.add_u32("n", 5);
  keys.add_f32("f", 0.5F);
  keys.add_bool("b", true);
  keys.add_i32s("i", std::array{1, -2});
  keys.add_f32s("fs", std::array{0.25F});
  keys.add_bools("bs", {true, false});
  keys.add_texts("t", std::array<std::string, 2>{"a", ""});
  {
    GgufWriter writer(path, keys, {{"one", DType::kF32, {3}}, {"two", DType::kBf16, {2, 4}}});
    writer.append(std::as_bytes(std::span("0123", 4)));
    writer.append(std::as_bytes(std::span("45678901", 8)));
    writer.append(std::as_bytes(std::span("abcdefghijklmnop", 16)));
    writer.commit();
  }
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const GgufFile file = GgufFile::parse(testing::byte_span(bytes), "w.gguf");
  EXPECT_EQ(file.metadata().size(), 8U);
  EXPECT_EQ(file.find("n")->integer(), 5);
  EXPECT_EQ(file.find("b")->boolean(), true);
  EXPECT_THAT(*file.find("i")->integers(), ::testing::ElementsAre(1, -2));
  EXPECT_THAT(*file.find("bs")->integers(), ::testing::ElementsAre(1, 0));
  EXPECT_THAT(*file.find("t")->texts(), ::testing::ElementsAre("a", ""));
  const GgufTensor* two = file.find_tensor("two");
  ASSERT_NE(two, nullptr);
  EXPECT_THAT(two->shape, ::testing::ElementsAre(2, 4));
  EXPECT_EQ(bytes.substr(static_cast<std::size_t>(two->begin), 16), "abcdefghijklmnop");
  EXPECT_EQ(bytes.size() % 32, 0U) << "the last tensor is padded too";
  const fs::path unfinished = folder.path() / "u.gguf";
  { GgufWriter writer(unfinished, keys, {{"one", DType::kF32, {3}}}); }
  EXPECT_FALSE(fs::exists(unfinished));
  EXPECT_THAT(error_of(ErrorCode::kUsage,
                       [&] {
                         static_cast<void>(gguf_tensor_bytes({"t", DType::kQ4_0, {2, 48}}));
                       }),
              HasSubstr("whole blocks"));
}

/// Both forms of one random model.
class SynthesizedGguf : public ::testing::Test {
 protected:
  fs::path make(const std::string& format, const std::string& type = {}) {
    SynthesizeOptions options;
    options.preset = fs::path(NOLENS_SOURCE_DIR) / "tests" / "cli" / "tiny_preset.json";
    options.seed = 5;
    options.format = format;
    options.type = type;
    options.out = folder_.path() / (format + type);
    synthesize_model(options);
    return options.out;
  }
  TemporaryFolder folder_;
};

TEST_F(SynthesizedGguf, HoldsTheValuesOfTheSafetensorsModel) {
  const TensorStore expected = TensorStore::open_directory(make("safetensors"));
  const fs::path out = make("gguf", "f32");
  const auto text = std::make_shared<const GgufSet>(GgufSet::open(out / "model-F32.gguf"));
  const auto media = std::make_shared<const GgufSet>(GgufSet::open(out / "mmproj-F32.gguf"));
  const TensorStore store = gguf_tensor_store({text, media});
  EXPECT_EQ(store.tensors().size(), expected.tensors().size());
  constexpr std::int64_t kSide = 12;
  for (const TensorView& tensor : expected.tensors()) {
    const std::vector<float> want = float_values(expected, tensor.name);
    const std::vector<float> have = float_values(store, tensor.name);
    ASSERT_EQ(want.size(), have.size()) << tensor.name;
    const auto width = static_cast<std::int64_t>(tensor.shape.back());
    const bool is_patch = tensor.name.find("patch_dense.weight") != std::string::npos ||
                          tensor.name.find("patch_ln1") != std::string::npos;
    const bool is_table = tensor.name.ends_with("pos_embedding");
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(want.size()); ++i) {
      std::int64_t at = i;
      const std::int64_t c = i % width;
      if (is_patch) {  // (row, column, channel) -> (channel, row, column)
        at = i - c + c % 3 * kSide * kSide + c / 3;
      } else if (is_table) {  // [row, axis, c] -> [axis, row, c]
        const std::int64_t row = i / width / 2;
        const std::int64_t axis = i / width % 2;
        at = (axis * tensor.shape[0] + row) * width + c;
      }
      ASSERT_EQ(want[static_cast<std::size_t>(i)], have[static_cast<std::size_t>(at)])
          << tensor.name << " " << i;
    }
  }
}

TEST_F(SynthesizedGguf, TypesAreThoseOfPublishedFiles) {
  const fs::path out = make("gguf", "q4_0");
  const GgufSet text = GgufSet::open(out / "model-Q4_0.gguf");
  EXPECT_EQ(text.first().find("general.file_type")->integer(), 2);
  for (const GgufTensor& tensor : text.first().tensors()) {
    EXPECT_EQ(tensor.type->name, tensor.shape.size() == 1 ? "F32" : "Q4_0") << tensor.name;
  }
  EXPECT_EQ(text.first().tensors().size(), 2U + 1U + 5U * 14U + 13U);
  const GgufSet media = GgufSet::open(out / "mmproj-Q4_0.gguf");
  EXPECT_EQ(media.first().tensors().size(), 11U);
  EXPECT_EQ(media.find_tensor("v.patch_embd.weight")->type->name, "F32");
  EXPECT_EQ(media.find_tensor("mm.input_projection.weight")->type->name, "Q4_0");
  const std::vector<float> divisors = text.find_floats(kRopeFreqs);
  ASSERT_EQ(divisors.size(), 16U);
  EXPECT_EQ(divisors[3], 1.0F);
  EXPECT_EQ(divisors[4], 1e30F);
}

TEST_F(SynthesizedGguf, RefusesWhatItCannotWrite) {
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { make("gguf", "q4_k"); }), HasSubstr("Q5_1"));
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { make("zip"); }), HasSubstr("safetensors or gguf"));
  SynthesizeOptions options;
  options.preset = "article-12b";
  options.format = "gguf";
  options.num_layers = 1;
  options.vocab_size = 700;
  options.out = folder_.path() / "article";
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { synthesize_model(options); }),
              HasSubstr("--format safetensors"));
  EXPECT_FALSE(fs::exists(options.out));
}

}  // namespace
}  // namespace nolens
