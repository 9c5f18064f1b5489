// Products of every table and format: bounds against double, the fixed order of additions, edges.
#include <algorithm>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "kernels/kernel_test_support.h"

namespace nolens {
namespace {

class LinearTable : public TableTest {};
NOLENS_FOR_EVERY_TABLE(LinearTable);

struct Shape {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
};

/// Ways a table can multiply a stored format.
enum class Mode { kFloat, kRounded, kInt8 };

std::vector<std::pair<Mode, DType>> modes_of(const KernelTable& table) {
  std::vector<std::pair<Mode, DType>> modes;
  for (const DType dtype : kAllDTypes) {
    modes.emplace_back(Mode::kFloat, dtype);
  }
  if (table.linear_bf16_rounded != nullptr) {
    modes.emplace_back(Mode::kRounded, DType::kBf16);
  }
  if (table.linear_q8_0_int8 != nullptr) {
    modes.emplace_back(Mode::kInt8, DType::kQ8_0);
  }
  return modes;
}

/// x [m, k] as a mode multiplies it, one element off alignment with NaN between the rows.
class Activations {
 public:
  Activations(const KernelTable& table, const std::vector<float>& x, std::int64_t m, std::int64_t k)
      : k_(k), stride_(k + 3) {
    const auto padded = static_cast<std::size_t>(m * stride_ + 1);
    floats_.assign(padded, kNan);
    rounded_.assign(padded, to_bf16(kNan).bits);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < k; ++j) {
        floats_[at(i, j)] = x[static_cast<std::size_t>(i * k + j)];
      }
      if (table.round_bf16 != nullptr) {
        table.round_bf16(&floats_[at(i, 0)], k, &rounded_[at(i, 0)]);
      }
    }
    if (table.quantize_int8 != nullptr && k % 32 == 0) {
      q_.resize(static_cast<std::size_t>(m * k));
      scales_.resize(static_cast<std::size_t>(m * k / 32));
      sums_.resize(static_cast<std::size_t>(m * k / 32));
      for (std::int64_t i = 0; i < m; ++i) {
        table.quantize_int8(&floats_[at(i, 0)], k / 32, q_.data() + i * k,
                            scales_.data() + i * k / 32, sums_.data() + i * k / 32);
      }
    }
  }
  /// What the mode makes of x[i, j].
  [[nodiscard]] double value(Mode mode, std::int64_t i, std::int64_t j) const {
    if (mode == Mode::kInt8) {
      return static_cast<double>(scales_[static_cast<std::size_t>((i * k_ + j) / 32)]) *
             q_[static_cast<std::size_t>(i * k_ + j)];
    }
    const double rounded = static_cast<double>(to_float(Bf16{rounded_[at(i, j)]}));
    return mode == Mode::kRounded ? rounded : static_cast<double>(floats_[at(i, j)]);
  }
  /// y [m, y_stride] of rows [row, row + count), outputs [n0, n1).
  void multiply(const KernelTable& table, Mode mode, const WeightMatrix& w, const float* bias,
                std::int64_t row, std::int64_t count, std::int64_t n0, std::int64_t n1, float* y,
                std::int64_t y_stride) {
    const StoredRows stored(w);
    const WeightRows& rows = stored.rows();
    if (mode == Mode::kFloat) {
      table.linear[static_cast<std::size_t>(w.dtype)](
          {&floats_[at(row, 0)], stride_, count, k_, rows, bias, y, y_stride, n0, n1});
    } else if (mode == Mode::kRounded) {
      table.linear_bf16_rounded(
          {&rounded_[at(row, 0)], stride_, count, k_, rows, bias, y, y_stride, n0, n1});
    } else {
      const Int8Rows x{q_.data() + row * k_, scales_.data() + row * k_ / 32,
                       sums_.data() + row * k_ / 32};
      table.linear_q8_0_int8({x, count, k_, rows, bias, y, y_stride, n0, n1});
    }
  }

 private:
  [[nodiscard]] std::size_t at(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * stride_ + j + 1);
  }
  std::int64_t k_;
  std::int64_t stride_;
  std::vector<float> floats_;
  std::vector<std::uint16_t> rounded_;
  std::vector<std::int8_t> q_;
  std::vector<float> scales_;
  std::vector<std::int32_t> sums_;
};

/// Lengths around one and two vectors and around the block of K that linear.inl sums at a time.
std::vector<std::int64_t> k_values(DType dtype, std::int64_t lanes) {
  switch (block_size(dtype)) {
    case 256: return {256, 768, 1024, 1792};
    case 32: return {32, 96, 768, 800, 1024, 1056, 2080};
    case 2:
      return {2, 6, 2 * lanes - 2 + 2 * (lanes == 1), 2 * lanes, 2 * lanes + 2, 766, 768, 1570};
    default: break;
  }
  return {1, 3, lanes - 1 + (lanes == 1), lanes, lanes + 1, 2 * lanes + 1, 767, 768, 1000, 1569};
}

TEST_P(LinearTable, ProductsAreWithinTheirBounds) {
  Random random(21);
  for (const auto& [mode, dtype] : modes_of(table())) {
    for (const std::int64_t k : k_values(dtype, table().lanes)) {
      const Shape shape{random.integer(1, 9), random.integer(1, 19), k};
      const StoredWeights w(dtype, shape.n, k, 1, random);
      const std::vector<float> bias = random.normals(shape.n);
      Activations x(table(), random.normals(shape.m * k), shape.m, k);
      std::vector<float> y(static_cast<std::size_t>(shape.m * shape.n), kNan);
      x.multiply(table(), mode, w.view(), bias.data(), 0, shape.m, 0, shape.n, y.data(), shape.n);
      const auto steps = static_cast<double>(k);
      for (std::int64_t m = 0; m < shape.m; ++m) {
        for (std::int64_t n = 0; n < shape.n; ++n) {
          double exact = 0.0;
          double magnitude = 0.0;
          double block = 0.0;
          double blocks = 0.0;
          for (std::int64_t j = 0; j < k; ++j) {
            const double product = x.value(mode, m, j) * w.at(n, j);
            exact += product;
            magnitude += std::abs(product);
            block += product;
            if (j % 32 == 31) {
              blocks += std::abs(block);
              block = 0.0;
            }
          }
          const double b = static_cast<double>(bias[static_cast<std::size_t>(n)]);
          const double bound =
              mode == Mode::kInt8 ? (steps / 32.0 + 2.0) * kEps * blocks
              : mode == Mode::kRounded
                  ? (std::min(steps, 768.0) / 4.0 + steps / 768.0 + 4.0) * kEps * magnitude
                  : (steps / static_cast<double>(table().lanes) + 16.0) * kEps * magnitude;
          EXPECT_NEAR(y[static_cast<std::size_t>(m * shape.n + n)], exact + b,
                      bound + kEps * std::abs(exact + b))
              << dtype_name(dtype) << " mode " << static_cast<int>(mode) << " m " << m << " n " << n
              << " k " << k;
        }
      }
    }
  }
}

TEST_P(LinearTable, RowsAtOnceEqualRowsOneByOneBitForBit) {
  Random random(22);
  for (const auto& [mode, dtype] : modes_of(table())) {
    for (const std::int64_t m : {2, 3, 4, 5, 6, 7, 8, 13, 171}) {
      // 171 rows are more than share a block (linear.inl, kRowBlock).
      const Shape shape{m, random.integer(1, m == 171 ? 5 : 37),
                        whole_units(dtype, random.integer(1, 70) * 32)};
      const StoredWeights w(dtype, shape.n, shape.k, 1, random);
      const std::vector<float> bias = random.normals(shape.n);
      Activations x(table(), random.normals(m * shape.k), m, shape.k);
      std::vector<float> at_once(static_cast<std::size_t>(m * shape.n), kNan);
      std::vector<float> one_by_one = at_once;
      x.multiply(table(), mode, w.view(), bias.data(), 0, m, 0, shape.n, at_once.data(), shape.n);
      for (std::int64_t i = 0; i < m; ++i) {
        x.multiply(table(), mode, w.view(), bias.data(), i, 1, 0, shape.n,
                   one_by_one.data() + i * shape.n, shape.n);
      }
      ASSERT_TRUE(same_bits(at_once, one_by_one))
          << dtype_name(dtype) << " mode " << static_cast<int>(mode) << " m " << m << " n "
          << shape.n << " k " << shape.k;
    }
  }
}

TEST_P(LinearTable, RoundedProductsOfAnyShapeEqualThoseOfOneRow) {
  if (table().linear_bf16_rounded == nullptr) {
    GTEST_SKIP() << "no bfloat16 products";
  }
  Random random(28);
  // Around pieces of 8 and 32 values and blocks of 768, tiles of 16 outputs, 6 and 384 rows.
  for (const std::int64_t k : {1, 7, 8, 9, 31, 33, 40, 767, 769, 1543}) {
    for (const std::int64_t n : {1, 15, 17, 35}) {
      for (const std::int64_t m : {2, 3, 4, 6, 11, 391}) {
        if (m == 391 && (n != 17 || k < 767)) {
          continue;
        }
        const StoredWeights w(DType::kBf16, n, k, 1, random);
        const std::vector<float> bias = random.normals(n);
        Activations x(table(), random.normals(m * k), m, k);
        std::vector<float> at_once(static_cast<std::size_t>(m * n), kNan);
        std::vector<float> one_by_one = at_once;
        x.multiply(table(), Mode::kRounded, w.view(), bias.data(), 0, m, 0, n, at_once.data(), n);
        for (std::int64_t i = 0; i < m; ++i) {
          x.multiply(table(), Mode::kRounded, w.view(), bias.data(), i, 1, 0, n,
                     one_by_one.data() + i * n, n);
        }
        ASSERT_TRUE(same_bits(at_once, one_by_one)) << "m " << m << " n " << n << " k " << k;
      }
    }
  }
}

TEST_P(LinearTable, OutputsDoNotDependOnHowTheyAreSplit) {
  Random random(23);
  for (const auto& [mode, dtype] : modes_of(table())) {
    for (const std::int64_t m : {1, 2, 9}) {
      const Shape shape{m, 41, whole_units(dtype, 1056)};
      const StoredWeights w(dtype, shape.n, shape.k, 1, random);
      Activations x(table(), random.normals(m * shape.k), m, shape.k);
      std::vector<float> whole(static_cast<std::size_t>(m * shape.n), kNan);
      std::vector<float> parts = whole;
      x.multiply(table(), mode, w.view(), nullptr, 0, m, 0, shape.n, whole.data(), shape.n);
      for (std::int64_t n = 0; n < shape.n;) {
        const std::int64_t end = std::min(shape.n, n + random.integer(1, 9));
        x.multiply(table(), mode, w.view(), nullptr, 0, m, n, end, parts.data(), shape.n);
        n = end;
      }
      ASSERT_TRUE(same_bits(whole, parts)) << dtype_name(dtype) << " m " << m;
    }
  }
}

TEST_P(LinearTable, WritesOnlyItsOutputs) {
  Random random(24);
  for (const auto& [mode, dtype] : modes_of(table())) {
    const Shape shape{7, 21, whole_units(dtype, 64)};
    const StoredWeights w(dtype, shape.n, shape.k, 1, random);
    Activations x(table(), random.normals(shape.m * shape.k), shape.m, shape.k);
    const std::int64_t stride = shape.n + 5;
    std::vector<float> y(static_cast<std::size_t>(shape.m * stride), kNan);
    x.multiply(table(), mode, w.view(), nullptr, 0, shape.m, 3, 20, y.data(), stride);
    for (std::int64_t i = 0; i < shape.m * stride; ++i) {
      const bool inside = i % stride >= 3 && i % stride < 20;
      EXPECT_EQ(!std::isnan(y[static_cast<std::size_t>(i)]), inside) << dtype_name(dtype) << i;
    }
  }
}

TEST_P(LinearTable, NotANumberReachesItsRowAndNoOther) {
  Random random(25);
  for (const auto& [mode, dtype] : modes_of(table())) {
    for (const float bad : {kNan, kInfinity}) {
      const Shape shape{9, 5, whole_units(dtype, 96)};
      const StoredWeights w(dtype, shape.n, shape.k, 0, random);
      std::vector<float> values = random.normals(shape.m * shape.k);
      values[static_cast<std::size_t>(4 * shape.k + 50)] = bad;
      Activations x(table(), values, shape.m, shape.k);
      std::vector<float> y(static_cast<std::size_t>(shape.m * shape.n));
      x.multiply(table(), mode, w.view(), nullptr, 0, shape.m, 0, shape.n, y.data(), shape.n);
      for (std::int64_t i = 0; i < shape.m * shape.n; ++i) {
        EXPECT_EQ(std::isfinite(y[static_cast<std::size_t>(i)]), i / shape.n != 4)
            << dtype_name(dtype) << " mode " << static_cast<int>(mode) << " at " << i;
      }
    }
  }
}

TEST_P(LinearTable, ExtremeBytesDoNotOverflow) {
  if (table().linear_q8_0_int8 == nullptr) {
    GTEST_SKIP() << "no int8 products";
  }
  // All weights -128 and all activations at the limit of int8: the largest sums there are.
  const std::int64_t k = 64;
  for (const std::int64_t m : {1, 9}) {
    for (const float sign : {1.0F, -1.0F}) {
      std::vector<BlockQ8_0> blocks(static_cast<std::size_t>(3 * k / 32));
      for (BlockQ8_0& block : blocks) {
        block.d = to_f16(1.0F).bits;
        std::fill(std::begin(block.qs), std::end(block.qs), static_cast<std::int8_t>(-128));
      }
      WeightMatrix w;
      w.data = reinterpret_cast<const std::byte*>(blocks.data());
      w.dtype = DType::kQ8_0;
      w.rows = 3;
      w.cols = k;
      Activations x(table(), std::vector<float>(static_cast<std::size_t>(m * k), sign * 127.0F), m,
                    k);
      std::vector<float> y(static_cast<std::size_t>(m * 3));
      x.multiply(table(), Mode::kInt8, w, nullptr, 0, m, 0, 3, y.data(), 3);
      for (const float value : y) {
        EXPECT_EQ(value, sign * -128.0F * 127.0F * static_cast<float>(k));
      }
    }
  }
}

TEST_P(LinearTable, QuantizedActivationsAreWithinHalfAStep) {
  if (table().quantize_int8 == nullptr) {
    GTEST_SKIP() << "no int8 products";
  }
  Random random(26);
  const std::int64_t blocks = 200;
  std::vector<float> x = random.normals(blocks * 32);
  for (std::int64_t b = 0; b < blocks; ++b) {  // scales from 2^-99 to 2^100
    for (std::int64_t j = 0; j < 32; ++j) {
      float& value = x[static_cast<std::size_t>(b * 32 + j)];
      value = std::ldexp(value, static_cast<int>(b - 99));
    }
  }
  std::fill(x.begin(), x.begin() + 32, 0.0F);
  std::vector<std::int8_t> q(x.size());
  std::vector<float> scales(static_cast<std::size_t>(blocks));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(blocks));
  table().quantize_int8(x.data(), blocks, q.data(), scales.data(), sums.data());
  EXPECT_EQ(scales[0], 0.0F);
  for (std::size_t b = 0; b < scales.size(); ++b) {
    EXPECT_EQ(sums[b], std::accumulate(q.begin() + static_cast<std::ptrdiff_t>(b * 32),
                                       q.begin() + static_cast<std::ptrdiff_t>(b * 32 + 32), 0));
    for (std::size_t j = b * 32; j < b * 32 + 32; ++j) {
      EXPECT_GE(q[j], -127);
      EXPECT_NEAR(scales[b] * static_cast<float>(q[j]), x[j], scales[b] * 0.5001F) << "block " << b;
    }
  }
  std::vector<float> bad(32, 1.0F);
  for (const float value : {kNan, kInfinity, -kInfinity}) {
    bad[7] = value;
    table().quantize_int8(bad.data(), 1, q.data(), scales.data(), sums.data());
    EXPECT_TRUE(std::isnan(scales[0]));
  }
}

TEST_P(LinearTable, Bfloat16RoundingIsToNearestEven) {
  if (table().round_bf16 == nullptr) {
    GTEST_SKIP() << "no bfloat16 products";
  }
  Random random(27);
  std::vector<float> x = random.normals(4096);
  for (const std::uint32_t bits : {0x3F80'8000U, 0x3F81'8000U, 0x3F80'8001U, 0x7F7F'FFFFU,
                                   0x7F80'0000U, 0x0000'0001U, 0x8000'0000U, 0x7FC0'0001U}) {
    x.push_back(std::bit_cast<float>(bits));
  }
  std::vector<std::uint16_t> y(x.size());
  table().round_bf16(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(y[i], to_bf16(x[i]).bits) << x[i];
  }
}

}  // namespace
}  // namespace nolens
