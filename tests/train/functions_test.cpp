// Custom gradients: the fused steps against the same steps made of torch operators, and against
// finite differences.
#include "functions.h"

#include <functional>
#include <vector>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "composed.h"
#include "counter_rng.h"

namespace nolens::train {
namespace {

using at::Tensor;

Tensor random_tensor(std::vector<std::int64_t> shape, std::uint64_t seed, bool gradient = true) {
  CounterRng rng(seed, 99);
  Tensor tensor = at::empty(shape, at::kFloat);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  }
  return tensor.requires_grad_(gradient);
}

using Step = std::function<Tensor(const std::vector<Tensor>&)>;

/// Gradients of sum(step(inputs) * a fixed random tensor).
std::vector<Tensor> gradients_of(const Step& step, const std::vector<Tensor>& inputs) {
  const Tensor y = step(inputs);
  const Tensor weights = random_tensor(y.sizes().vec(), 1234, false);
  return torch::autograd::grad({(y * weights).sum()}, inputs);
}

void expect_close(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.sizes(), b.sizes());
  const double scale = std::max(1.0, b.abs().max().item<double>());
  EXPECT_LT((a - b).abs().max().item<double>(), tolerance * scale);
}

void expect_same(const Step& fused, const Step& reference, const std::vector<Tensor>& inputs) {
  expect_close(fused(inputs), reference(inputs), 2e-6);
  const std::vector<Tensor> a = gradients_of(fused, inputs);
  const std::vector<Tensor> b = gradients_of(reference, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE("input " + std::to_string(i));
    expect_close(a[i], b[i], 5e-6);
  }
}

TEST(Functions, RmsNormHasTheGradientOfItsFormula) {
  const std::vector<Tensor> inputs = {random_tensor({7, 40}, 1), random_tensor({40}, 2)};
  expect_same([](const auto& in) { return rms_norm(in[0], in[1], 1e-6); },
              [](const auto& in) { return composed::rms_norm(in[0], in[1], 1e-6); }, inputs);
}

TEST(Functions, RmsNormWithoutWeightHasTheGradientOfItsFormula) {
  expect_same([](const auto& in) { return rms_norm(in[0], Tensor(), 1e-6); },
              [](const auto& in) { return composed::rms_norm(in[0], Tensor(), 1e-6); },
              {random_tensor({5, 19}, 3)});
}

TEST(Functions, GegluHasTheGradientOfItsFormula) {
  expect_same([](const auto& in) { return geglu(in[0], in[1]); },
              [](const auto& in) { return composed::geglu(in[0], in[1]); },
              {random_tensor({9, 33}, 4), random_tensor({9, 33}, 5)});
}

struct HeadCase {
  HeadShape shape{3, 5, 2, 8, 2};
  RotaryTable table;
  Tensor positions = at::tensor({0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 9, 8, 7, 6, 5}, at::kInt);
  HeadCase() {
    const Tensor angles = random_tensor({10, 4}, 6, false);
    table = {angles.cos(), angles.sin()};
  }
};

TEST(Functions, HeadNormHasTheGradientOfItsFormula) {
  const HeadCase c;
  expect_same(
      [&](const auto& in) { return head_norm(c.shape, in[0], in[1], 1e-6, c.table, c.positions); },
      [&](const auto& in) {
        return composed::head_norm(c.shape, in[0], in[1], 1e-6, c.table, c.positions);
      },
      {random_tensor({15, 16}, 7), random_tensor({8}, 8)});
}

TEST(Functions, HeadNormWithoutWeightAndRotationHasTheGradientOfItsFormula) {
  const HeadCase c;
  expect_same(
      [&](const auto& in) { return head_norm(c.shape, in[0], Tensor(), 1e-6, {}, c.positions); },
      [&](const auto& in) {
        return composed::head_norm(c.shape, in[0], Tensor(), 1e-6, {}, c.positions);
      },
      {random_tensor({15, 16}, 9)});
}

struct AttentionCase {
  AttentionShape shape;
  Tensor ranges;
  std::vector<Tensor> inputs;

  explicit AttentionCase(bool with_branches) {
    shape.batch = 2;
    shape.heads = 2;
    shape.queries = with_branches ? 6 : 5;
    shape.prefix_rows = 5;
    shape.branches = with_branches ? 3 : 1;
    shape.own_rows = with_branches ? 4 : 0;
    shape.head_dim = 8;
    std::vector<std::int32_t> values;
    for (std::int64_t i = 0; i < shape.batch * shape.queries; ++i) {
      const auto n = static_cast<std::int32_t>(i);
      // Own keys alone, prefix alone, and both occur.
      values.push_back(n % 3);
      values.push_back(with_branches && n == 3 ? n % 3 : 4 + n % 2);
      values.push_back(with_branches ? n % 2 : 0);
      values.push_back(with_branches ? 2 + n % 3 : 0);
    }
    ranges = at::tensor(values, at::kInt).view({-1, 4});
    inputs = {random_tensor({4, shape.queries, 8}, 11), random_tensor({4, 5, 8}, 12),
              random_tensor({4, 5, 8}, 13)};
    if (with_branches) {
      inputs.push_back(random_tensor({4, 12, 8}, 14));
      inputs.push_back(random_tensor({4, 12, 8}, 15));
    }
  }
};

template <typename Attention>
Step attention_step(const AttentionCase& c, Attention attention) {
  return [&c, attention](const std::vector<Tensor>& in) {
    return attention(c.shape, in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor(),
                     in.size() > 3 ? in[4] : Tensor(), c.ranges);
  };
}

TEST(Functions, AttentionOfBranchesHasTheGradientOfItsFormula) {
  const AttentionCase c(true);
  expect_same(attention_step(c, range_attention), attention_step(c, composed::range_attention),
              c.inputs);
}

TEST(Functions, AttentionOfThePrefixHasTheGradientOfItsFormula) {
  const AttentionCase c(false);
  expect_same(attention_step(c, range_attention), attention_step(c, composed::range_attention),
              c.inputs);
}

TEST(Functions, AttentionAgreesWithFiniteDifferences) {
  const AttentionCase c(true);
  const Step step = attention_step(c, range_attention);
  const std::vector<Tensor> gradients = gradients_of(step, c.inputs);
  const at::NoGradGuard no_gradients;
  const Tensor weights = random_tensor(step(c.inputs).sizes().vec(), 1234, false);
  const auto value = [&] {
    return (step(c.inputs) * weights).to(at::kDouble).sum().item<double>();
  };
  constexpr double kStep = 4e-3;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    for (std::int64_t element = 0; element < c.inputs[i].numel(); element += 7) {
      float& x = c.inputs[i].data_ptr<float>()[element];
      const float kept = x;
      x = kept + static_cast<float>(kStep);
      const double above = value();
      x = kept - static_cast<float>(kStep);
      const double below = value();
      x = kept;
      EXPECT_NEAR(gradients[i].contiguous().data_ptr<float>()[element],
                  (above - below) / (2.0 * kStep), 2e-3)
          << "input " << i << ", element " << element;
    }
  }
}

TEST(Functions, Bf16LinearIsCloseToFloatLinear) {
  const std::vector<Tensor> inputs = {random_tensor({20, 64}, 21), random_tensor({30, 64}, 22)};
  const auto relative = [](const Tensor& a, const Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  };
  const Step narrow = [](const auto& in) { return linear(in[0], in[1], true); };
  const Step wide = [](const auto& in) { return linear(in[0], in[1], false); };
  EXPECT_LT(relative(narrow(inputs), wide(inputs)), 0.005);
  EXPECT_GT(relative(narrow(inputs), wide(inputs)), 1e-5);
  const std::vector<Tensor> a = gradients_of(narrow, inputs);
  const std::vector<Tensor> b = gradients_of(wide, inputs);
  EXPECT_LT(relative(a[0], b[0]), 0.006);
  EXPECT_LT(relative(a[1], b[1]), 0.006);
}

}  // namespace
}  // namespace nolens::train
