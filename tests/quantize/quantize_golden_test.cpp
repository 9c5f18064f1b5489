// What bitsandbytes and ggml make of the same floats (tests/reference/make_quantize_goldens.py).
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/gguf/quantize_blocks.h"
#include "formats/safetensors.h"
#include "platform/mapped_file.h"
#include "quantize/block_codes.h"
#include "quantize/codebooks.h"

namespace nolens {
namespace {

class QuantizeGolden : public ::testing::Test {
 protected:
  QuantizeGolden()
      : file_(std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / "quantize" /
                  "quantized.safetensors",
              ErrorCode::kInput) {
    for (const auto& entry : parse_safetensors_header(file_.bytes(), "quantized").tensors) {
      entries_[entry.name] = entry;
    }
    values_ = floats("values");
    cols_ = entries_.at("values").shape[1];
  }

  [[nodiscard]] std::vector<std::byte> bytes(const std::string& name) const {
    const SafetensorsEntry& entry = entries_.at(name);
    return {file_.bytes().begin() + entry.begin, file_.bytes().begin() + entry.end};
  }
  [[nodiscard]] std::vector<float> floats(const std::string& name) const {
    const std::vector<std::byte> stored = bytes(name);
    std::vector<float> values(stored.size() / sizeof(float));
    std::memcpy(values.data(), stored.data(), stored.size());
    return values;
  }
  /// By ggml's rules.
  void expect_blocks(const std::string& name, DType dtype) const {
    std::vector<std::byte> found(
        static_cast<std::size_t>(row_bytes(dtype, static_cast<std::int64_t>(values_.size()))));
    quantize_row(dtype, values_, found);
    const std::vector<std::byte> expected = bytes(name);
    ASSERT_EQ(found.size(), expected.size());
    const auto unit = static_cast<std::size_t>(traits(dtype).bytes);
    for (std::size_t b = 0; b < found.size(); b += unit) {
      ASSERT_EQ(std::memcmp(&found[b], &expected[b], unit), 0)
          << name << " block " << b / unit << ", row "
          << static_cast<std::int64_t>(b / unit) * block_size(dtype) / cols_;
    }
  }
  void expect_codes(const std::string& name, DType dtype) const {
    std::vector<float> absmax(values_.size() / kCodeBlock);
    find_absmax(values_, absmax);
    EXPECT_EQ(absmax, floats("absmax"));
    std::vector<std::byte> codes(values_.size() / 2);
    quantize_codes(dtype, values_, absmax, codes);
    const std::vector<std::byte> expected = bytes(name);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      ASSERT_EQ(codes[i], expected[i])
          << name << " values " << values_[2 * i] << ", " << values_[2 * i + 1] << " at " << 2 * i;
    }
  }

  MappedFile file_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::vector<float> values_;
  std::int64_t cols_ = 0;
};

TEST_F(QuantizeGolden, Nf4CodesAndScalesAreThoseOfBitsAndBytes) {
  expect_codes("nf4.codes", DType::kNf4);
  const std::vector<float> codebook = floats("nf4.codebook");
  EXPECT_EQ(std::vector<float>(kNf4Codebook.begin(), kNf4Codebook.end()), codebook);
}

TEST_F(QuantizeGolden, Fp4CodesAndScalesAreThoseOfBitsAndBytes) {
  expect_codes("fp4.codes", DType::kFp4);
  const std::vector<float> codebook = floats("fp4.codebook");
  EXPECT_EQ(std::vector<float>(kFp4Codebook.begin(), kFp4Codebook.end()), codebook);
}

TEST_F(QuantizeGolden, NestedScalesAreThoseOfBitsAndBytes) {
  const std::array<float, 256> codebook = dynamic_codebook();
  EXPECT_EQ(std::vector<float>(codebook.begin(), codebook.end()), floats("nested.codebook"));
  const std::vector<float> absmax = floats("absmax");
  const float offset = floats("nested.offset")[0];
  const NestedScales nested = nest_scales(absmax, offset);
  const std::vector<std::byte> codes = bytes("nested.codes");
  ASSERT_EQ(nested.codes.size(), codes.size());
  EXPECT_EQ(std::memcmp(nested.codes.data(), codes.data(), codes.size()), 0);
  EXPECT_EQ(nested.absmax, floats("nested.absmax"));
  // A mean in single precision depends on the order of the additions.
  EXPECT_NEAR(nest_scales(absmax).offset, offset, std::fabs(offset) * 1e-6F);
}

TEST_F(QuantizeGolden, BlocksAreThoseOfGgml) {
  expect_blocks("q4_0", DType::kQ4_0);
  expect_blocks("q8_0", DType::kQ8_0);
  expect_blocks("iq4_nl", DType::kIQ4_NL);
  expect_blocks("q6_k", DType::kQ6_K);
}

TEST(QuantizeCodes, ScalesOfBlocksThatAreNotFiniteAreNotFinite) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> values(128, 0.5F);
    values[70] = bad;
    std::vector<float> absmax(2);
    find_absmax(values, absmax);
    EXPECT_EQ(absmax[0], 0.5F);
    EXPECT_FALSE(std::isfinite(absmax[1]));
  }
}

}  // namespace
}  // namespace nolens
