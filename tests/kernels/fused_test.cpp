// Operations that are several in one pass: the same bits as one by one, and no memory but their own.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "kernels/panel_weights.h"
#include "platform/thread_pool.h"
#include "support/allocation_count.h"

namespace nolens {
namespace {

class FusedTable : public TableTest {};
NOLENS_FOR_EVERY_TABLE(FusedTable);

constexpr float kEpsilon = 1e-6F;

/// Rows that own their values.
struct Rows {
  std::vector<float> values;
  std::int64_t cols;

  Rows(std::int64_t rows, std::int64_t columns)
      : values(static_cast<std::size_t>(rows * columns), kNan), cols(columns) {}
  Rows(Random& random, std::int64_t rows, std::int64_t columns)
      : values(random.normals(rows * columns)), cols(columns) {}
  [[nodiscard]] Matrix view() {
    return {values.data(), static_cast<std::int64_t>(values.size()) / cols, cols};
  }
};

/// What mlp() is said to be, one by one.
Rows mlp_one_by_one(Kernels& k, Rows& x, const RmsNorm& norm, const GatedMlp& w) {
  const std::int64_t m = x.view().rows;
  Rows normed(m, x.cols), gate(m, w.gate.rows), up(m, w.gate.rows), y(m, x.cols);
  k.rms_norm(x.view(), norm.weight, norm.eps, normed.view());
  k.linear(normed.view(), w.gate, {}, gate.view());
  k.linear(normed.view(), w.up, {}, up.view());
  k.gated_activation(gate.view(), up.view(), w.activation, gate.view());
  k.linear(gate.view(), w.down, {}, y.view());
  return y;
}

/// Weights of an MLP, and of its norm.
struct Network {
  PanelWeights gate;
  PanelWeights up;
  PanelWeights down;
  std::vector<float> norm_weight;

  Network(DType dtype, std::int64_t hidden, std::int64_t width, Random& random)
      : gate(dtype, width, hidden, random),
        up(dtype, width, hidden, random),
        down(dtype, hidden, width, random),
        norm_weight(random.normals(hidden)) {}
  [[nodiscard]] GatedMlp mlp() const {
    return {gate.view(), up.view(), down.view(), Activation::kGeluTanh};
  }
  [[nodiscard]] RmsNorm norm() const { return {norm_weight, kEpsilon}; }
};

TEST_P(FusedTable, MlpIsItsProductsOneByOne) {
  Random random(6);
  ThreadPool one(1);
  ThreadPool three(3);
  const auto alone = make_cpu_kernels(table(), one, {});
  const auto together = make_cpu_kernels(table(), three, {});
  struct Case {
    DType dtype;
    std::int64_t hidden, width;
  };
  for (const Case c : {Case{DType::kQ4_0, 320, 64}, Case{DType::kQ4_0, 64, 832},
                       Case{DType::kQ6_K, 256, 512}, Case{DType::kQ8_0, 96, 288}}) {
    const Network network(c.dtype, c.hidden, c.width, random);
    // Rows that stream, a pair of panels for the rest of a tile, and pieces of rows for each thread.
    for (const std::int64_t m : {1, 16, 17, 203}) {
      Rows x(random, m, c.hidden);
      const Rows expected = mlp_one_by_one(*alone, x, network.norm(), network.mlp());
      for (Kernels* kernels : {alone.get(), together.get()}) {
        EXPECT_FALSE(kernels->mlp_needs_scratch(network.mlp()));
        Rows y(m, c.hidden);
        kernels->mlp(x.view(), network.norm(), network.mlp(), {}, y.view());
        EXPECT_EQ(y.values, expected.values)
            << dtype_name(c.dtype) << ' ' << c.hidden << " x " << c.width << ", " << m << " rows";
      }
    }
  }
}

TEST_P(FusedTable, MlpOfMoreRowsThanABlock) {
  Random random(7);
  ThreadPool one(1);
  const auto kernels = make_cpu_kernels(table(), one, {});
  const Network network(DType::kQ4_0, 64, 1024, random);
  constexpr std::int64_t kRows = 531;  // with a strip for each of four groups: two blocks
  Rows x(random, kRows, 64);
  const Rows expected = mlp_one_by_one(*kernels, x, network.norm(), network.mlp());
  Rows y(kRows, 64);
  kernels->mlp(x.view(), network.norm(), network.mlp(), {}, y.view());
  EXPECT_EQ(y.values, expected.values);
}

TEST_P(FusedTable, MlpNeedsScratchWhereItIsNotOnePass) {
  Random random(8);
  ThreadPool pool(2);
  const auto fast = make_cpu_kernels(table(), pool, {});
  const auto exact = make_cpu_kernels(table(), pool, {.exact = true});
  const Network network(DType::kQ4_0, 320, 128, random);
  const PanelWeights other(DType::kQ8_0, 128, 320, random);
  const StoredWeights rows(DType::kF32, 320, 128, 0, random);
  const auto check = [&](Kernels& k, const GatedMlp& w) {
    constexpr std::int64_t kRows = 5;
    EXPECT_TRUE(k.mlp_needs_scratch(w));
    Rows x(random, kRows, 320);
    Rows y(kRows, 320), scratch(2 * kRows, 128), short_by_one(2 * kRows - 1, 128);
    EXPECT_THROW(k.mlp(x.view(), network.norm(), w, {}, y.view()), Error);
    EXPECT_THROW(k.mlp(x.view(), network.norm(), w, short_by_one.view(), y.view()), Error);
    k.mlp(x.view(), network.norm(), w, scratch.view(), y.view());
    EXPECT_EQ(y.values, mlp_one_by_one(k, x, network.norm(), w).values);
  };
  check(*exact, network.mlp());
  check(*fast, {network.gate.view(), other.view(), network.down.view(), Activation::kSilu});
  check(*fast, {network.gate.view(), network.up.view(), rows.view(), Activation::kSilu});
}

TEST_P(FusedTable, NormedLinearIsTheNormThenTheProducts) {
  Random random(9);
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  constexpr std::int64_t kCols = 320;
  const PanelWeights panels(DType::kQ4_0, 72, kCols, random);
  const PanelWeights narrow(DType::kQ4_0, 16, kCols, random);
  const StoredWeights rows(DType::kBf16, 40, kCols, 0, random);
  const std::vector<float> norm_weight = random.normals(kCols);
  const std::vector<float> bias = random.normals(72);
  const RmsNorm norm{norm_weight, kEpsilon};
  for (const std::int64_t m : {1, 13, 21, 203}) {
    Rows x(random, m, kCols);
    Rows normed(m, kCols), scratch(m, kCols);
    kernels->rms_norm(x.view(), norm.weight, norm.eps, normed.view());
    const auto expect_same = [&](std::vector<const WeightMatrix*> weights) {
      std::vector<Rows> results;
      std::vector<LinearPart> parts;
      results.reserve(weights.size());
      for (const WeightMatrix* w : weights) {
        results.emplace_back(m, w->rows);
        const std::span<const float> part_bias =
            w == weights[0] ? std::span<const float>(bias) : std::span<const float>{};
        parts.push_back({*w, part_bias, results.back().view()});
      }
      kernels->normed_linear(x.view(), norm, parts, scratch.view());
      for (std::size_t i = 0; i < weights.size(); ++i) {
        Rows expected(m, weights[i]->rows);
        kernels->linear(normed.view(), *weights[i], parts[i].bias, expected.view());
        EXPECT_EQ(results[i].values, expected.values) << m << " rows, part " << i;
      }
    };
    expect_same({&panels.view()});
    expect_same({&panels.view(), &narrow.view(), &panels.view()});
    expect_same({&panels.view(), &rows.view()});
  }
  Rows x(random, 2, kCols), y(2, 72), small(2, 16);
  const LinearPart part{panels.view(), {}, y.view()};
  EXPECT_THROW(kernels->normed_linear(x.view(), norm, {&part, 1}, small.view()), Error);
  EXPECT_THROW(kernels->normed_linear(x.view(), {bias, 0.0F}, {&part, 1}, x.view()), Error);
}

TEST_P(FusedTable, AddRmsNormIsTheNormTheSumAndTheFactor) {
  Random random(10);
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  constexpr std::int64_t kCols = 4099;
  const std::vector<float> weight = random.normals(kCols);
  for (const float factor : {1.0F, 0.37F}) {
    Rows x(random, 9, kCols), y(random, 9, kCols), normed(9, kCols);
    Rows expected = y;
    kernels->rms_norm(x.view(), weight, kEpsilon, normed.view());
    kernels->add(normed.view(), expected.view());
    std::transform(expected.values.begin(), expected.values.end(), expected.values.begin(),
                   [factor](float value) { return value * factor; });
    kernels->add_rms_norm(x.view(), {weight, kEpsilon}, factor, y.view());
    EXPECT_EQ(y.values, expected.values);
  }
}

TEST_P(FusedTable, ARepeatedStepAllocatesNothing) {
  Random random(11);
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Network network(DType::kQ4_0, 320, 512, random);
  Rows x(random, 40, 320), y(40, 320), gate(40, 512), scratch(40, 320);
  const auto step = [&](std::int64_t rows) {
    const auto first = [rows](Rows& all) { return all.view().row_range(0, rows); };
    kernels->mlp(first(x), network.norm(), network.mlp(), {}, first(y));
    const LinearPart part{network.gate.view(), {}, first(gate)};
    kernels->normed_linear(first(x), network.norm(), {&part, 1}, first(scratch));
    kernels->add_rms_norm(first(y), network.norm(), 1.0F, first(x));
  };
  step(40);
  step(1);
  const long before = allocation_count();
  EXPECT_GT(before, 0);  // the counter counts
  step(1);
  step(40);
  EXPECT_EQ(allocation_count(), before);
}

}  // namespace
}  // namespace nolens
