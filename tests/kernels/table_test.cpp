// Elementwise kernels, norms and rope of every table against double precision.
#include <array>
#include <functional>

#include <gtest/gtest.h>

#include "kernels/kernel_test_support.h"

namespace nolens {
namespace {

class ElementwiseTable : public TableTest {};
class NormTable : public TableTest {};
NOLENS_FOR_EVERY_TABLE(ElementwiseTable);
NOLENS_FOR_EVERY_TABLE(NormTable);

constexpr std::size_t kGuard = 8;

/// n values one element off alignment, between NaN guards.
std::vector<float> padded(const std::vector<float>& values) {
  std::vector<float> result(values.size() + 1 + kGuard, kNan);
  std::copy(values.begin(), values.end(), result.begin() + 1);
  return result;
}

void expect_guards_untouched(const std::vector<float>& values) {
  EXPECT_TRUE(std::isnan(values.front()));
  for (std::size_t i = values.size() - kGuard; i < values.size(); ++i) {
    EXPECT_TRUE(std::isnan(values[i])) << "wrote past the end";
  }
}

/// Error in units in the last place of the exact value.
double error_in_ulp(float value, double exact) {
  const int exponent = std::max(-126, std::ilogb(exact));
  return std::abs(static_cast<double>(value) - exact) / std::ldexp(1.0, exponent - 23);
}

/// Many arguments over all magnitudes up to `limit`, dense around zero and near the extremes.
std::vector<float> sweep(float limit) {
  std::vector<float> values;
  for (int i = -200'000; i <= 200'000; ++i) {
    values.push_back(limit * static_cast<float>(i) / 200'000.0F);
  }
  Random random(11);
  for (int i = 0; i < 200'000; ++i) {
    values.push_back(random.normal() * 4.0F);
    values.push_back(std::ldexp(random.normal(), static_cast<int>(random.integer(-40, 3))));
  }
  return values;
}

/// f of the table against the exact function, within `ulp` or 2^-121.
void check_function(const std::function<void(const std::vector<float>&, std::vector<float>&)>& f,
                    const std::function<double(double)>& exact, float limit, double ulp) {
  const std::vector<float> x = sweep(limit);
  std::vector<float> y(x.size());
  f(x, y);
  double worst = 0.0;
  float worst_at = 0.0F;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = exact(static_cast<double>(x[i]));
    if (expected > static_cast<double>(std::numeric_limits<float>::max())) {
      EXPECT_GT(y[i], 3.4e38F) << "at " << x[i];
      continue;
    }
    if (std::abs(static_cast<double>(y[i]) - expected) <= 0x1p-121) {
      continue;
    }
    const double error = error_in_ulp(y[i], expected);
    if (!(error <= worst)) {
      worst = error;
      worst_at = x[i];
    }
  }
  EXPECT_LE(worst, ulp) << "at " << worst_at;
  testing::Test::RecordProperty("worst_ulp", std::to_string(worst));
}

std::int64_t size_of(const std::vector<float>& v) {
  return static_cast<std::int64_t>(v.size());
}

double exact_gelu(double x) {
  const double u = std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(-2.0 * u));
}

TEST_P(ElementwiseTable, ExpIsWithinTwoUlp) {
  check_function([&](const auto& x, auto& y) { table().exp(x.data(), size_of(x), y.data()); },
                 [](double x) { return std::exp(x); }, 110.0F, 2.0);
}

TEST_P(ElementwiseTable, GeluIsWithinFourUlp) {
  check_function(
      [&](const auto& x, auto& y) {
        const std::vector<float> ones(x.size(), 1.0F);
        table().gelu_gate(x.data(), ones.data(), size_of(x), y.data());
      },
      exact_gelu, 20.0F, 4.0);
}

TEST_P(ElementwiseTable, SiluIsWithinFourUlp) {
  check_function(
      [&](const auto& x, auto& y) {
        const std::vector<float> ones(x.size(), 1.0F);
        table().silu_gate(x.data(), ones.data(), size_of(x), y.data());
      },
      [](double x) { return x / (1.0 + std::exp(-x)); }, 110.0F, 4.0);
}

TEST_P(ElementwiseTable, SoftcapIsWithinFourUlp) {
  for (const float cap : {1.0F, 30.0F}) {
    check_function(
        [&](const auto& x, auto& y) {
          y = x;
          table().softcap(cap, size_of(x), y.data());
        },
        [cap](double x) {
          return static_cast<double>(cap) * std::tanh(x / static_cast<double>(cap));
        },
        12.0F * cap, 4.0);
  }
}

TEST_P(ElementwiseTable, ExtremesHaveTheirLimitsAndNanStaysNan) {
  const std::vector<float> x = {1e4F, -1e4F, 3e38F, -3e38F, kInfinity, -kInfinity, kNan, 0.0F};
  const std::vector<float> ones(x.size(), 1.0F);
  std::vector<float> y(x.size());
  table().exp(x.data(), size_of(x), y.data());
  EXPECT_TRUE(same_bits(y, {kInfinity, 0.0F, kInfinity, 0.0F, kInfinity, 0.0F, kNan, 1.0F}));

  const std::vector<float> gates = {1e4F, -0.0F, 3e38F, -0.0F, kInfinity, -0.0F, kNan, 0.0F};
  table().gelu_gate(x.data(), ones.data(), size_of(x), y.data());
  EXPECT_TRUE(same_bits(y, gates));
  table().silu_gate(x.data(), ones.data(), size_of(x), y.data());
  EXPECT_TRUE(same_bits(y, gates));

  y = x;
  table().softcap(2.0F, size_of(x), y.data());
  EXPECT_TRUE(same_bits(y, {2.0F, -2.0F, 2.0F, -2.0F, 2.0F, -2.0F, kNan, 0.0F}));
}

TEST_P(ElementwiseTable, AValueDoesNotDependOnItsPlaceInTheRow) {
  Random random(3);
  using Map = std::function<void(const float*, std::int64_t, float*)>;
  const std::vector<float> up = random.normals(1000);
  const Map maps[] = {
      [&](const float* x, std::int64_t n, float* y) { table().exp(x, n, y); },
      [&](const float* x, std::int64_t n, float* y) { table().gelu_gate(x, up.data(), n, y); },
      [&](const float* x, std::int64_t n, float* y) { table().silu_gate(x, up.data(), n, y); },
      [&](const float* x, std::int64_t n, float* y) {
        std::copy(x, x + n, y);
        table().softcap(5.0F, n, y);
      }};
  for (const std::int64_t n : lengths()) {
    const std::vector<float> x = padded(random.normals(n));
    for (const Map& map : maps) {
      std::vector<float> y = padded(std::vector<float>(static_cast<std::size_t>(n)));
      map(x.data() + 1, n, y.data() + 1);
      expect_guards_untouched(y);
      // The last value alone: same function, other lane.
      float last = 0.0F;
      if (&map == &maps[1]) {
        table().gelu_gate(&x[static_cast<std::size_t>(n)], &up[static_cast<std::size_t>(n - 1)], 1,
                          &last);
      } else if (&map == &maps[2]) {
        table().silu_gate(&x[static_cast<std::size_t>(n)], &up[static_cast<std::size_t>(n - 1)], 1,
                          &last);
      } else {
        map(&x[static_cast<std::size_t>(n)], 1, &last);
      }
      EXPECT_EQ(std::bit_cast<std::uint32_t>(last),
                std::bit_cast<std::uint32_t>(y[static_cast<std::size_t>(n)]))
          << "length " << n;
    }
  }
}

TEST_P(ElementwiseTable, AddAndScaleAreExact) {
  Random random(4);
  for (const std::int64_t n : lengths()) {
    const std::vector<float> x = random.normals(n);
    const std::vector<float> y = random.normals(n);
    std::vector<float> sum = padded(y);
    std::vector<float> scaled = padded(y);
    table().add(padded(x).data() + 1, n, sum.data() + 1);
    table().scale(1.7F, n, scaled.data() + 1);
    expect_guards_untouched(sum);
    expect_guards_untouched(scaled);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(sum[i + 1], x[i] + y[i]);
      EXPECT_EQ(scaled[i + 1], y[i] * 1.7F);
    }
  }
}

TEST_P(ElementwiseTable, HalvesAreRoundedAsTheScalarConversionDoes) {
  std::vector<float> x;
  for (std::uint32_t bits = 0; bits < 0x1'0000U; ++bits) {  // every half and the points between
    const float half = to_float(F16{static_cast<std::uint16_t>(bits)});
    x.push_back(half);
    x.push_back(std::nextafter(half, kInfinity));
    x.push_back(half * (1.0F + 0x1p-11F));
  }
  x.push_back(65519.9F);
  x.push_back(65520.0F);
  x.push_back(-1e30F);
  std::vector<std::uint16_t> y(x.size());
  table().to_f16(x.data(), size_of(x), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::uint16_t expected = to_f16(x[i]).bits;
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(to_float(F16{y[i]})));
    } else {
      ASSERT_EQ(y[i], expected) << "value " << x[i];
    }
  }
}

TEST_P(ElementwiseTable, WeightsExpandExactly) {
  Random random(5);
  for (const DType dtype : kAllDTypes) {
    const KernelTable::Expand expand = table().expand[static_cast<std::size_t>(dtype)];
    for (const std::int64_t length : lengths()) {
      const std::int64_t unit = block_size(dtype);
      // Parts of the middle row of three, so that blocks of scales begin and end anywhere.
      const std::int64_t first = random.integer(0, 5) * unit;
      const std::int64_t n = length * unit;
      const StoredWeights w(dtype, 3, first + n + random.integer(0, 2) * unit, 1, random);
      const StoredRows stored(w.view());
      for (const float scale : {1.0F, 0.7F}) {
        std::vector<float> y = padded(std::vector<float>(static_cast<std::size_t>(n)));
        expand(stored.rows(), 1, first, n, scale, y.data() + 1);
        expect_guards_untouched(y);
        for (std::int64_t i = 0; i < n; ++i) {
          const float value = weight_value(w.view(), 1, first + i);
          ASSERT_EQ(y[static_cast<std::size_t>(i + 1)], value * scale)
              << dtype_name(dtype) << " from " << first << " length " << n << " element " << i;
        }
      }
    }
  }
}

TEST_P(ElementwiseTable, EveryHalfExpandsExactly) {
  std::vector<std::uint16_t> halves(0x1'0000);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    halves[i] = static_cast<std::uint16_t>(i);
  }
  std::vector<float> y(halves.size());
  const WeightRows rows{reinterpret_cast<const unsigned char*>(halves.data()), 0, nullptr,
                        static_cast<std::int64_t>(halves.size())};
  table().expand[static_cast<std::size_t>(DType::kF16)](
      rows, 0, 0, static_cast<std::int64_t>(halves.size()), 1.0F, y.data());
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const float expected = to_float(F16{halves[i]});
    ASSERT_TRUE(std::isnan(expected) ? std::isnan(y[i]) : y[i] == expected) << "half " << i;
  }
}

TEST_P(NormTable, RmsNormIsWithinItsBound) {
  Random random(6);
  for (const std::int64_t n : lengths()) {
    const std::vector<float> x = random.normals(n);
    const std::vector<float> weight = random.normals(n);
    for (const bool weighted : {true, false}) {
      std::vector<float> y = padded(std::vector<float>(x.size()));
      const std::vector<float> w = padded(weight);
      table().rms_norm(padded(x).data() + 1, weighted ? w.data() + 1 : nullptr, 1e-6F, n,
                       y.data() + 1);
      expect_guards_untouched(y);
      double squares = 0.0;
      for (const float v : x) {
        squares += static_cast<double>(v) * static_cast<double>(v);
      }
      const double factor =
          1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(1e-6F));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact =
            static_cast<double>(x[i]) * factor * (weighted ? static_cast<double>(weight[i]) : 1.0);
        EXPECT_NEAR(y[i + 1], exact, 3.0 * kEps * std::abs(exact)) << "length " << n;
      }
    }
  }
}

TEST_P(NormTable, RmsNormWorksInPlace) {
  Random random(7);
  for (const std::int64_t n : lengths()) {
    const std::vector<float> x = random.normals(n);
    std::vector<float> apart(x.size());
    std::vector<float> in_place = x;
    table().rms_norm(x.data(), nullptr, 1e-6F, n, apart.data());
    table().rms_norm(in_place.data(), nullptr, 1e-6F, n, in_place.data());
    EXPECT_TRUE(same_bits(apart, in_place));
  }
}

TEST_P(NormTable, LayerNormIsWithinItsBound) {
  Random random(8);
  for (const std::int64_t n : lengths()) {
    std::vector<float> x = random.normals(n);
    for (float& value : x) {
      value += 30.0F;  // a mean far from zero is where one-pass formulas fail
    }
    const std::vector<float> weight = random.normals(n);
    const std::vector<float> bias = random.normals(n);
    std::vector<float> y = padded(std::vector<float>(x.size()));
    table().layer_norm(padded(x).data() + 1, padded(weight).data() + 1, padded(bias).data() + 1,
                       1e-6F, n, y.data() + 1);
    expect_guards_untouched(y);
    double mean = 0.0;
    for (const float v : x) {
      mean += static_cast<double>(v) / static_cast<double>(n);
    }
    double variance = 0.0;
    for (const float v : x) {
      variance += std::pow(static_cast<double>(v) - mean, 2.0) / static_cast<double>(n);
    }
    const double factor = 1.0 / std::sqrt(variance + static_cast<double>(1e-6F));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double slope = factor * static_cast<double>(weight[i]);
      const double normed = (static_cast<double>(x[i]) - mean) * slope;
      const double exact = normed + static_cast<double>(bias[i]);
      const double bound =
          4.0 * kEps *
          (std::abs(normed) + std::abs(static_cast<double>(bias[i])) + std::abs(mean * slope));
      EXPECT_NEAR(y[i + 1], exact, bound) << "length " << n << " element " << i;
    }
  }
}

TEST_P(NormTable, RopeTurnsPairsThatAreHalfAHeadApart) {
  Random random(9);
  for (const std::int64_t half : lengths()) {
    const std::vector<float> x = random.normals(2 * half);
    const std::vector<float> angles = random.normals(half);
    std::vector<float> cos;
    std::vector<float> sin;
    for (const float angle : angles) {
      cos.push_back(std::cos(angle));
      sin.push_back(std::sin(angle));
    }
    std::vector<float> y = padded(x);
    table().rope(padded(cos).data() + 1, padded(sin).data() + 1, half, y.data() + 1);
    expect_guards_untouched(y);
    const auto h = static_cast<std::size_t>(half);
    for (std::size_t i = 0; i < h; ++i) {
      const auto x1 = static_cast<double>(x[i]);
      const auto x2 = static_cast<double>(x[h + i]);
      const double bound = 3.0 * kEps * (std::abs(x1) + std::abs(x2));
      EXPECT_NEAR(y[i + 1], x1 * static_cast<double>(cos[i]) - x2 * static_cast<double>(sin[i]),
                  bound);
      EXPECT_NEAR(y[h + i + 1], x2 * static_cast<double>(cos[i]) + x1 * static_cast<double>(sin[i]),
                  bound);
    }
  }
}

TEST_P(ElementwiseTable, PixelValuesAreCorrectlyRounded) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 300; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i));
  }
  for (const std::int64_t n : {0, 1, 15, 16, 17, 63, 299}) {
    for (const float divisor : {0.0F, 255.0F, 254.9F}) {
      std::vector<float> y(static_cast<std::size_t>(n) + 1, kNan);
      table().pixel_values(pixels.data() + 1, 0.0123F, divisor, n, y.data());
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
        const auto pixel = static_cast<double>(pixels[i + 1]);
        const double exact = divisor != 0.0F ? pixel / static_cast<double>(divisor)
                                             : pixel * static_cast<double>(0.0123F);
        // Rounding a double's 53 bits again gives what rounding once does: 53 >= 2 * 24 + 2.
        EXPECT_EQ(y[i], static_cast<float>(exact)) << pixel << " / " << divisor;
      }
      EXPECT_TRUE(std::isnan(y.back())) << "wrote past the end";
    }
  }
}

}  // namespace
}  // namespace nolens
