#include "formats/finite.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/float16.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A tensor over `bytes` with `offset` bytes before its first element.
TensorView view(DType dtype, const std::vector<std::byte>& bytes, std::size_t offset = 0) {
  TensorView tensor;
  tensor.name = "w";
  tensor.file = "m.safetensors";
  tensor.dtype = dtype;
  tensor.data = bytes.data() + offset;
  tensor.bytes = static_cast<std::int64_t>(bytes.size() - offset);
  return tensor;
}

std::vector<std::byte> encode(DType dtype, const std::vector<float>& values, std::size_t offset) {
  std::vector<std::byte> bytes(offset +
                               values.size() * static_cast<std::size_t>(row_bytes(dtype, 1)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF32) {
      std::memcpy(bytes.data() + offset + 4 * i, &values[i], 4);
    } else {
      const std::uint16_t bits =
          dtype == DType::kF16 ? to_f16(values[i]).bits : to_bf16(values[i]).bits;
      std::memcpy(bytes.data() + offset + 2 * i, &bits, 2);
    }
  }
  return bytes;
}

class FiniteOfType : public ::testing::TestWithParam<DType> {};

TEST_P(FiniteOfType, AcceptsTheLargestAndTheSmallestNumbers) {
  const float largest = GetParam() == DType::kF16 ? 65'504.0F : 3.3e38F;
  const auto bytes = encode(GetParam(), {0.0F, -0.0F, largest, -largest, 6e-8F, 1e-40F, 1.0F}, 0);
  EXPECT_FALSE(find_nonfinite(view(GetParam(), bytes)).has_value());
  EXPECT_NO_THROW(check_finite(view(GetParam(), bytes)));
}

TEST_P(FiniteOfType, T42_FindsTheFirstOfEveryPositionAndAlignment) {
  for (const std::size_t size : {1U, 2U, 63U, 4096U, 20'001U}) {
    for (const std::size_t position : {std::size_t{0}, size / 2, size - 1}) {
      for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
        for (const std::size_t offset : {0U, 1U, 3U}) {
          std::vector<float> values(size, 0.5F);
          values[position] = bad;
          values[size - 1] = bad;
          const auto bytes = encode(GetParam(), values, offset);
          EXPECT_EQ(find_nonfinite(view(GetParam(), bytes, offset)),
                    static_cast<std::int64_t>(position));
        }
      }
    }
  }
}

TEST_P(FiniteOfType, NamesTensorElementAndValue) {
  const auto bytes = encode(GetParam(), {1.0F, 2.0F, -kInfinity}, 0);
  EXPECT_THAT(model_error_of([&] { check_finite(view(GetParam(), bytes)); }),
              AllOf(HasSubstr("m.safetensors"), HasSubstr("'w'"),
                    HasSubstr("-infinity at element 2"), HasSubstr("--allow-nonfinite")));
}

INSTANTIATE_TEST_SUITE_P(Types, FiniteOfType,
                         ::testing::Values(DType::kF32, DType::kF16, DType::kBf16),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

TEST(Finite, ReadsTheScalesOfQ8Blocks) {
  std::vector<BlockQ8_0> blocks(3);
  for (BlockQ8_0& block : blocks) {
    block.d = to_f16(0.1F).bits;
    std::memset(block.qs, 0x7F, sizeof(block.qs));
  }
  std::vector<std::byte> bytes(3 * sizeof(BlockQ8_0));
  std::memcpy(bytes.data(), blocks.data(), bytes.size());
  EXPECT_FALSE(find_nonfinite(view(DType::kQ8_0, bytes)).has_value());
  blocks[2].d = to_f16(kNan).bits;
  std::memcpy(bytes.data(), blocks.data(), bytes.size());
  EXPECT_EQ(find_nonfinite(view(DType::kQ8_0, bytes)), 64);
  EXPECT_THAT(model_error_of([&] { check_finite(view(DType::kQ8_0, bytes)); }), HasSubstr("NaN"));
}

TEST(Finite, ReadsEveryScaleOfEveryBlockFormat) {
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL}) {
    const BlockHalves halves = block_halves(dtype);
    ASSERT_GT(halves.count, 0) << dtype_name(dtype);
    // Codes of all ones would be NaN if they were taken for scales.
    std::vector<std::byte> bytes(static_cast<std::size_t>(4 * traits(dtype).bytes),
                                 std::byte{0xFF});
    const auto scale = [&](std::int64_t block, std::int64_t i) {
      return bytes.data() + block * traits(dtype).bytes + halves.offset + 2 * i;
    };
    const std::uint16_t good = to_f16(-0.1F).bits;
    for (std::int64_t block = 0; block < 4; ++block) {
      for (std::int64_t i = 0; i < halves.count; ++i) {
        std::memcpy(scale(block, i), &good, 2);
      }
    }
    EXPECT_FALSE(find_nonfinite(view(dtype, bytes)).has_value()) << dtype_name(dtype);
    for (std::int64_t i = 0; i < halves.count; ++i) {
      const std::uint16_t bad = to_f16(-INFINITY).bits;
      std::memcpy(scale(3, i), &bad, 2);
      EXPECT_EQ(find_nonfinite(view(dtype, bytes)), 3 * block_size(dtype)) << dtype_name(dtype);
      EXPECT_THAT(model_error_of([&] { check_finite(view(dtype, bytes)); }),
                  HasSubstr("-infinity"));
      std::memcpy(scale(3, i), &good, 2);
    }
  }
}

}  // namespace
}  // namespace nolens
