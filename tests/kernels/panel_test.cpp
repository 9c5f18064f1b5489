// Weights in panels: exact values, integer activations, products of every table and format.
#include <algorithm>
#include <cmath>
#include <optional>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "core/aligned_buffer.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "kernels/panel_weights.h"
#include "kernels/reference/panel_value.h"
#include "platform/thread_pool.h"
#include "quantize/pack_panels.h"

namespace nolens {
namespace {

class PanelTable : public TableTest {};
NOLENS_FOR_EVERY_TABLE(PanelTable);

const DType kPanelDTypes[] = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,  DType::kQ5_0,
                              DType::kQ5_1, DType::kQ4_K, DType::kQ5_K,  DType::kQ6_K,
                              DType::kNf4,  DType::kFp4,  DType::kIQ4_NL};

std::int64_t panel_cols(DType dtype, std::int64_t groups, std::int64_t rest) {
  const std::int64_t cols = groups * kGroupColumns + rest;
  return round_up(cols, std::max<std::int64_t>(64, block_size(dtype)));
}

/// Integer activations as the kernels make them.
struct Split {
  std::int64_t rows;
  std::int64_t groups;
  std::vector<std::int8_t> low, high;
  std::vector<std::uint64_t> high_steps;
  std::vector<std::int32_t> sums16, sums32, sums64;
  std::vector<float> scales;

  Split(const KernelTable& table, const std::vector<float>& x, std::int64_t m, std::int64_t k)
      : rows(m), groups(ceil_div(k, kGroupColumns)) {
    const auto blocks = static_cast<std::size_t>(rows * groups);
    low.resize(blocks * 256);
    high.resize(blocks * 256);
    high_steps.resize(blocks);
    sums16.resize(blocks * 16);
    sums32.resize(blocks * 8);
    sums64.resize(blocks * 4);
    scales.resize(blocks);
    for (std::int64_t i = 0; i < m; ++i) {
      table.quantize_split(x.data() + i * k, k, i, view());
    }
  }
  SplitRows view() {
    return {low.data(),    high.data(),   high_steps.data(), sums16.data(),
            sums32.data(), sums64.data(), scales.data(),     rows};
  }
  [[nodiscard]] std::size_t block(std::int64_t m, std::int64_t k) const {
    return static_cast<std::size_t>(k / kGroupColumns * rows + m);
  }
  [[nodiscard]] std::int64_t integer(std::int64_t m, std::int64_t k) const {
    const std::size_t i = block(m, k) * 256 + static_cast<std::size_t>(k % kGroupColumns);
    return low[i] + 128 * high[i];
  }
  [[nodiscard]] double value(std::int64_t m, std::int64_t k) const {
    return static_cast<double>(scales[block(m, k)]) * static_cast<double>(integer(m, k));
  }
};

/// Normal, with a few columns 40 times as large.
std::vector<float> with_outliers(Random& random, std::int64_t rows, std::int64_t cols) {
  std::vector<float> x = random.normals(rows * cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 5; j < cols; j += 97) {
      x[static_cast<std::size_t>(i * cols + j)] *= 40.0F;
    }
  }
  return x;
}

TEST_P(PanelTable, ExpandsRowsToTheExactValues) {
  Random random(1);
  for (const DType dtype : kPanelDTypes) {
    const std::int64_t cols = panel_cols(dtype, 1, 64);
    const PanelWeights weights(dtype, 37, cols, random);
    const StoredRows stored(weights.view());
    const auto expand = table().expand_panels[static_cast<std::size_t>(weights.format())];
    std::vector<float> y(static_cast<std::size_t>(cols));
    for (const std::int64_t row : {0, 15, 16, 36}) {
      expand(stored.rows(), row, 0, cols, 1.0F, y.data());
      for (std::int64_t k = 0; k < cols; ++k) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(y[static_cast<std::size_t>(k)]),
                  std::bit_cast<std::uint32_t>(panel_value(weights.view(), row, k)))
            << dtype_name(dtype) << " row " << row << " column " << k;
      }
    }
  }
}

TEST_P(PanelTable, IntegerActivationsAreNearestAndDescribeThemselves) {
  Random random(2);
  for (const std::int64_t cols : {64, 256, 640, 1024}) {
    const std::int64_t rows = 5;
    const std::vector<float> x = with_outliers(random, rows, cols);
    const Split split(table(), x, rows, cols);
    for (std::int64_t m = 0; m < rows; ++m) {
      for (std::int64_t k = 0; k < cols; ++k) {
        const auto exact = static_cast<double>(x[static_cast<std::size_t>(m * cols + k)]);
        const auto scale = static_cast<double>(split.scales[split.block(m, k)]);
        ASSERT_LE(std::abs(split.value(m, k) - exact), scale * 0.501 + 1e-6 * std::abs(exact));
        const std::size_t i = split.block(m, k) * 256 + static_cast<std::size_t>(k % 256);
        if (std::abs(split.integer(m, k)) <= 127) {
          ASSERT_EQ(split.high[i], 0);
        }
        if (split.high[i] != 0) {
          ASSERT_TRUE((split.high_steps[split.block(m, k)] >> (k % 256 / 4)) & 1U);
        }
      }
      for (std::int64_t k = 0; k < cols; k += 32) {
        std::int64_t sum = 0;
        for (std::int64_t j = 0; j < 32; ++j) {
          sum += split.integer(m, k + j);
        }
        ASSERT_EQ(split.sums32[split.block(m, k) * 8 + static_cast<std::size_t>(k % 256 / 32)],
                  sum);
      }
    }
  }
}

TEST_P(PanelTable, OutliersDoNotCoarsenTheirNeighbours) {
  Random random(3);
  std::vector<float> x = random.normals(256);
  const Split plain(table(), x, 1, 256);
  x[100] = 300.0F;
  const Split outlier(table(), x, 1, 256);
  EXPECT_LT(outlier.scales[0], 1.5F * plain.scales[0]);
  EXPECT_NEAR(outlier.value(0, 100), 300.0, 0.02);
}

TEST_P(PanelTable, GroupsWithoutFiniteOrLargeValues) {
  std::vector<float> x(3 * 256, 1.0F);
  x[7] = kInfinity;
  x[256 + 9] = kNan;
  std::fill(x.begin() + 512, x.end(), 0x1p-120F);
  const Split split(table(), x, 1, 768);
  EXPECT_TRUE(std::isnan(split.scales[0]));
  EXPECT_TRUE(std::isnan(split.scales[1]));
  EXPECT_EQ(split.scales[2], 0.0F);
  for (std::int64_t k = 0; k < 768; ++k) {
    ASSERT_EQ(split.integer(0, k), 0);
  }
}

/// y = x * w^T + bias as integer products have it, summed in double precision.
void expect_products(const Split& split, const WeightMatrix& w, const std::vector<float>& bias,
                     const std::vector<float>& y) {
  for (std::int64_t i = 0; i < split.rows; ++i) {
    for (std::int64_t n = 0; n < w.rows; ++n) {
      double sum = bias[static_cast<std::size_t>(n)];
      double magnitude = std::abs(sum);
      for (std::int64_t k = 0; k < w.cols; ++k) {
        const double product = split.value(i, k) * static_cast<double>(panel_value(w, n, k));
        sum += product;
        magnitude += std::abs(product);
      }
      ASSERT_NEAR(y[static_cast<std::size_t>(i * w.rows + n)], sum,
                  static_cast<double>(w.cols) * kEps * magnitude)
          << dtype_name(w.dtype) << " row " << i << " output " << n;
    }
  }
}

TEST_P(PanelTable, ProductsAreThoseOfTheIntegers) {
  Random random(4);
  ThreadPool pool(1);
  for (const bool byte_codebook : {false, true}) {
    const auto kernels = make_cpu_kernels(table(), pool, {.byte_codebook = byte_codebook});
    for (const DType dtype : kPanelDTypes) {
      for (const std::int64_t m : {1, 3, 4, 9, 21}) {
        const std::int64_t cols = panel_cols(dtype, 1, m % 2 == 0 ? 0 : 192);
        const std::int64_t rows = 16 * m + 5;
        PanelWeights weights(dtype, rows, cols, random);
        const std::vector<float> x = with_outliers(random, m, cols);
        const std::vector<float> bias = random.normals(rows);
        std::vector<float> y(static_cast<std::size_t>(m * rows));
        kernels->linear({x.data(), m, cols}, weights.view(), bias, {y.data(), m, rows});
        expect_products(Split(table(), x, m, cols), weights.rounded_view(byte_codebook), bias, y);
      }
    }
  }
}

TEST_P(PanelTable, TheSameBitsForAnySplitOfRowsAndThreads) {
  Random random(5);
  ThreadPool one(1);
  ThreadPool three(3);
  const auto alone = make_cpu_kernels(table(), one, {});
  const auto together = make_cpu_kernels(table(), three, {});
  // Streamed one by one, and 21 rows with panels in pairs.
  for (const std::int64_t m : {13, 21})
    for (const DType dtype : kPanelDTypes) {
      const std::int64_t cols = panel_cols(dtype, 1, 64);
      const std::int64_t rows = 72;
      const PanelWeights weights(dtype, rows, cols, random);
      const std::vector<float> x = with_outliers(random, m, cols);
      std::vector<float> by_row(static_cast<std::size_t>(m * rows));
      std::vector<float> at_once(by_row.size());
      for (std::int64_t i = 0; i < m; ++i) {
        alone->linear({x.data() + i * cols, 1, cols}, weights.view(), {},
                      {by_row.data() + i * rows, 1, rows});
      }
      together->linear({x.data(), m, cols}, weights.view(), {}, {at_once.data(), m, rows});
      EXPECT_EQ(by_row, at_once) << dtype_name(dtype);
    }
}

TEST_P(PanelTable, ExactProductsAndEmbeddingsUseTheExactValues) {
  Random random(7);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {.exact = true});
  for (const DType dtype : kPanelDTypes) {
    const std::int64_t cols = panel_cols(dtype, 0, 64);
    const PanelWeights weights(dtype, 21, cols, random);
    const std::vector<float> x = random.normals(2 * cols);
    std::vector<float> y(42);
    kernels->linear({x.data(), 2, cols}, weights.view(), {}, {y.data(), 2, 21});
    for (std::int64_t n = 0; n < 21; ++n) {
      double sum = 0.0;
      double magnitude = 0.0;
      for (std::int64_t k = 0; k < cols; ++k) {
        const double product = static_cast<double>(x[static_cast<std::size_t>(k)]) *
                               static_cast<double>(panel_value(weights.view(), n, k));
        sum += product;
        magnitude += std::abs(product);
      }
      ASSERT_NEAR(y[static_cast<std::size_t>(n)], sum,
                  static_cast<double>(cols + 16) * kEps * magnitude);
    }
    std::vector<float> row(static_cast<std::size_t>(cols));
    const TokenId id = 20;
    kernels->embed_rows({&id, 1}, weights.view(), 2.0F, {row.data(), 1, cols});
    for (std::int64_t k = 0; k < cols; ++k) {
      ASSERT_EQ(row[static_cast<std::size_t>(k)], 2.0F * panel_value(weights.view(), 20, k));
    }
  }
}

}  // namespace
}  // namespace nolens
