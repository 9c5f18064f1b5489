// The vectorised building blocks against double arithmetic; their gradients are checked in
// functions_test.cpp.
#include "cpu_ops.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "counter_rng.h"
#include "cpu_vector.h"

namespace nolens::train {
namespace {

TEST(CpuVector, TheExponentialIsExactToAFewUnitsInTheLastPlace) {
  for (float x = -86.0F; x <= 87.0F; x += 0.00371F) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_NEAR(exp_approximation(x) / exact, 1.0, 3e-7) << x;
  }
  EXPECT_LT(exp_approximation(-1000.0F), 2e-38F);
  EXPECT_GE(exp_approximation(-1000.0F), 0.0F);
}

TEST(CpuVector, DotHandlesEveryLength) {
  CounterRng rng(1, 1);
  for (std::int64_t n = 0; n < 70; ++n) {
    std::vector<float> a;
    std::vector<float> b;
    double exact = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
      a.push_back(static_cast<float>(rng.normal()));
      b.push_back(static_cast<float>(rng.normal()));
      exact += static_cast<double>(a.back()) * b.back();
    }
    EXPECT_NEAR(dot(a.data(), b.data(), n), exact, 1e-5) << n;
  }
}

TEST(CpuOps, GegluIsTheTanhFormOfGelu) {
  CounterRng rng(2, 2);
  for (int i = 0; i < 1000; ++i) {
    const auto gate = static_cast<float>(4.0 * rng.normal());
    const float up = 1.0F;
    float y = 0.0F;
    geglu_forward(&gate, &up, 1, &y);
    const double g = gate;
    const double exact =
        0.5 * g * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (g + 0.044715 * g * g * g)));
    EXPECT_NEAR(y, exact, 2e-6) << g;
  }
}

TEST(CpuOps, RmsNormGivesRowsOfUnitMeanSquare) {
  CounterRng rng(3, 3);
  std::vector<float> x(3 * 37);
  for (float& value : x) {
    value = static_cast<float>(5.0 * rng.normal());
  }
  std::vector<float> y(x.size());
  std::vector<float> scale(3);
  rms_norm_forward(x.data(), nullptr, 0.0F, 3, 37, y.data(), scale.data());
  for (std::size_t row = 0; row < 3; ++row) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 37; ++i) {
      sum += static_cast<double>(y[row * 37 + i]) * y[row * 37 + i];
    }
    EXPECT_NEAR(sum / 37.0, 1.0, 1e-6);
  }
}

}  // namespace
}  // namespace nolens::train
