#include "quantize/row_values.h"

#include <bit>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/reference/weight_value.h"
#include "quantize/random_weight.h"

namespace nolens {
namespace {

using testing::make_weight;
using testing::RandomWeight;
using testing::ScaleShape;

void expect_exact(const WeightMatrix& w) {
  std::vector<float> row(static_cast<std::size_t>(w.cols));
  for (std::int64_t r = 0; r < w.rows; ++r) {
    row_values(w, r, row);
    for (std::int64_t c = 0; c < w.cols; ++c) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(row[static_cast<std::size_t>(c)]),
                std::bit_cast<std::uint32_t>(weight_value(w, r, c)))
          << dtype_name(w.dtype) << " at " << r << ", " << c;
    }
  }
}

TEST(RowValues, AreThoseOfTheReferenceForEveryFormat) {
  unsigned seed = 1;
  for (std::size_t i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    RandomWeight weight;
    // INT8 has one scale a row: blocks of a row's length lay them out so.
    make_weight(weight, dtype, 5, 768, seed++,
                {dtype == DType::kInt8 ? 768 : 64, false, 256, DType::kBf16});
    expect_exact(weight.matrix);
  }
}

TEST(RowValues, FollowBlocksThatReachAcrossRows) {
  unsigned seed = 50;
  for (const std::int64_t block : {32, 64, 256}) {
    for (const bool nested : {false, true}) {
      RandomWeight weight;
      make_weight(weight, DType::kNf4, 9, 76, seed++, {block, nested, 32, DType::kF16});
      expect_exact(weight.matrix);
    }
  }
}

TEST(RowValues, FindsWhatIsNotFinite) {
  std::vector<float> values(100, -3.0e38F);
  EXPECT_TRUE(all_finite(values));
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    values[99] = bad;
    EXPECT_FALSE(all_finite(values));
  }
}

}  // namespace
}  // namespace nolens
