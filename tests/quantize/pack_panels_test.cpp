#include "quantize/pack_panels.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "kernels/reference/panel_value.h"
#include "kernels/reference/weight_value.h"
#include "quantize/random_weight.h"

namespace nolens {
namespace {

using testing::make_weight;
using testing::RandomWeight;
using testing::ScaleShape;

/// Owns panels and what describes them.
struct Packed {
  std::vector<std::byte> data;
  WeightScales scales;
  WeightMatrix matrix;
};

void pack(const WeightMatrix& rows, Packed& packed) {
  const auto format = lossless_panels(rows);
  ASSERT_TRUE(format.has_value());
  // Bytes that are never written would differ from run to run.
  packed.data.assign(static_cast<std::size_t>(panels_bytes(*format, rows.rows, rows.cols)),
                     std::byte{0xA5});
  pack_panels(rows, 0, panel_count(rows.rows), packed.data);
  packed.matrix = rows;
  packed.matrix.data = packed.data.data();
  packed.matrix.layout = WeightLayout::kPanels;
  if (rows.scales != nullptr) {
    packed.scales = panel_scales(*rows.scales, *format);
    packed.matrix.scales = &packed.scales;
  }
  ASSERT_EQ(packed.matrix.panel_format(), *format);
  ASSERT_EQ(packed.matrix.bytes(), static_cast<std::int64_t>(packed.data.size()));
}

void expect_same_values(const WeightMatrix& rows, const WeightMatrix& panels) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::int64_t c = 0; c < rows.cols; ++c) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(weight_value(rows, r, c)),
                std::bit_cast<std::uint32_t>(panel_value(panels, r, c)))
          << dtype_name(rows.dtype) << " " << rows.rows << "x" << rows.cols << " at " << r << ", "
          << c;
    }
  }
  for (std::int64_t r = rows.rows; r < panel_count(rows.rows) * kPanelRows; ++r) {
    for (std::int64_t c = 0; c < rows.cols; ++c) {
      ASSERT_EQ(panel_value(panels, r, c), 0.0F) << dtype_name(rows.dtype) << " row " << r;
    }
  }
}

struct Case {
  DType dtype;
  std::int64_t rows;
  std::int64_t cols;
  ScaleShape scales;
};

void expect_lossless(const Case& c, unsigned seed) {
  RandomWeight weight;
  make_weight(weight, c.dtype, c.rows, c.cols, seed, c.scales);
  Packed packed;
  pack(weight.matrix, packed);
  expect_same_values(weight.matrix, packed.matrix);
}

TEST(PackPanels, KeepsEveryBitOfEveryBlockFormat) {
  unsigned seed = 1;
  for (const DType dtype :
       {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kIQ4_NL}) {
    for (const std::int64_t rows : {1, 15, 16, 17, 35}) {
      for (const std::int64_t cols : {32, 96, 256, 288, 736}) {
        expect_lossless({dtype, rows, cols, {}}, seed++);
      }
    }
  }
}

TEST(PackPanels, KeepsEveryBitOfTheFormatsWithSuperBlocks) {
  unsigned seed = 100;
  for (const DType dtype : {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    for (const std::int64_t rows : {1, 16, 35}) {
      for (const std::int64_t cols : {256, 768}) {
        expect_lossless({dtype, rows, cols, {}}, seed++);
      }
    }
  }
}

TEST(PackPanels, KeepsEveryBitOfCodebookFormats) {
  unsigned seed = 200;
  for (const DType dtype : {DType::kNf4, DType::kFp4}) {
    for (const DType value_dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
      for (const std::int64_t rows : {1, 16, 21}) {
        for (const std::int64_t cols : {64, 320, 576}) {
          expect_lossless({dtype, rows, cols, {64, false, 256, value_dtype}}, seed++);
          expect_lossless({dtype, rows, cols, {64, true, 256, value_dtype}}, seed++);
        }
      }
    }
  }
}

TEST(PackPanels, SpreadsTheScalesOfLargerBlocks) {
  unsigned seed = 300;
  for (const std::int64_t block : {128, 256, 512, 4096}) {
    // Rows of 192 values: blocks begin and end inside rows.
    expect_lossless({DType::kNf4, 37, 192, {block, false, 256, DType::kBf16}}, seed++);
    expect_lossless({DType::kFp4, 37, 192, {block, true, 32, DType::kF16}}, seed++);
  }
}

TEST(PackPanels, KeepsNestedScalesNestedOnlyInBlocksOf64) {
  RandomWeight weight;
  make_weight(weight, DType::kNf4, 16, 256, 1, {64, true, 256, DType::kBf16});
  EXPECT_EQ(lossless_panels(weight.matrix), PanelFormat::kNestedCodes);
  weight.scales.block_size = 128;
  EXPECT_EQ(lossless_panels(weight.matrix), PanelFormat::kCodes);
}

TEST(PackPanels, HasNoPanelsForWhatCannotBeCut) {
  RandomWeight weight;
  make_weight(weight, DType::kNf4, 16, 96, 1);
  EXPECT_EQ(lossless_panels(weight.matrix), std::nullopt) << "blocks reach across rows";
  make_weight(weight, DType::kNf4, 16, 64, 1);
  weight.scales.block_size = 32;
  EXPECT_EQ(lossless_panels(weight.matrix), std::nullopt) << "two scales in 64 columns";
  make_weight(weight, DType::kBf16, 16, 64, 1);
  EXPECT_EQ(lossless_panels(weight.matrix), std::nullopt);
  make_weight(weight, DType::kQ4_0, 16, 64, 1);
  weight.matrix.layout = WeightLayout::kPanels;
  EXPECT_EQ(lossless_panels(weight.matrix), std::nullopt) << "already in panels";
}

TEST(PackPanels, WritesTheSameBytesInAnyNumberOfPieces) {
  RandomWeight weight;
  make_weight(weight, DType::kQ5_K, 75, 512, 9);
  Packed whole;
  pack(weight.matrix, whole);
  const std::int64_t bytes = panel_bytes(PanelFormat::kQ5_K, 512);
  std::vector<std::byte> pieces(whole.data.size(), std::byte{0x5A});
  for (const auto& [begin, end] : {std::pair{3, 5}, std::pair{0, 1}, std::pair{1, 3}}) {
    pack_panels(weight.matrix, begin, end,
                std::span(pieces).subspan(static_cast<std::size_t>(begin * bytes),
                                          static_cast<std::size_t>((end - begin) * bytes)));
  }
  EXPECT_EQ(pieces, whole.data);
}

TEST(PackPanels, RefusesABufferOfAnotherSize) {
  RandomWeight weight;
  make_weight(weight, DType::kQ4_0, 16, 64, 9);
  std::vector<std::byte> out(100);
  EXPECT_THROW(pack_panels(weight.matrix, 0, 1, out), Error);
  EXPECT_THROW(pack_panels(weight.matrix, 0, 2, out), Error);
}

TEST(PackPanels, PutsCodesWhereTheLayoutSays) {
  RandomWeight weight;
  make_weight(weight, DType::kQ4_0, 2, 32, 9);
  std::fill(weight.data.begin(), weight.data.end(), std::byte{0});
  // Row 1, column 6: step 1, so the high half of byte 4 * 1 + 2 of the first vector.
  weight.data[18 + 2 + 6] = std::byte{0x0B};
  Packed packed;
  pack(weight.matrix, packed);
  std::vector<std::byte> expected(packed.data.size());
  expected[6] = std::byte{0xB0};
  EXPECT_EQ(packed.data, expected);
}

}  // namespace
}  // namespace nolens
