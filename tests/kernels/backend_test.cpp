// The CPU backend: every operation against the reference, any number of threads, wrong shapes.
#include <functional>
#include <memory>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "kernels/reference/reference_kernels.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

class BackendTest : public TableTest {};
NOLENS_FOR_EVERY_TABLE(BackendTest);

/// Runs one operation on fresh copies of its data and returns what it wrote.
struct Operation {
  const char* name;
  double relative;  ///< allowed difference from the reference, of the largest result
  std::function<std::vector<float>(Kernels&)> run;
};

Matrix matrix(std::vector<float>& values, std::int64_t rows) {
  return {values.data(), rows, static_cast<std::int64_t>(values.size()) / rows};
}
ConstMatrix matrix(const std::vector<float>& values, std::int64_t rows) {
  return {values.data(), rows, static_cast<std::int64_t>(values.size()) / rows};
}

/// All operations on `rows` rows of 256 values, 4 heads.
std::vector<Operation> operations(std::int64_t rows, bool exact) {
  constexpr std::int64_t kWidth = 256;
  constexpr std::int64_t kOutputs = 77;
  Random random(41);
  const std::vector<float> x = random.normals(rows * kWidth);
  const std::vector<float> z = random.normals(rows * kWidth);
  const std::vector<float> weight = random.normals(kWidth);
  const std::vector<float> bias = random.normals(kWidth);
  const std::vector<float> cos = random.normals(rows * 32);
  const std::vector<float> sin = random.normals(rows * 32);
  const auto empty = [x] { return std::vector<float>(x.size(), kNan); };
  std::vector<Operation> list = {
      {"rms_norm", 1e-6,
       [=](Kernels& k) {
         auto y = empty();
         k.rms_norm(matrix(x, rows), weight, 1e-6F, matrix(y, rows));
         return y;
       }},
      {"layer_norm", 1e-6,
       [=](Kernels& k) {
         auto y = empty();
         k.layer_norm(matrix(x, rows), weight, bias, 1e-6F, matrix(y, rows));
         return y;
       }},
      {"rms_norm_heads", 1e-6,
       [=](Kernels& k) {
         auto y = empty();
         k.rms_norm_heads(matrix(x, rows), 4, std::span(weight).first(64), 1e-6F, matrix(y, rows));
         return y;
       }},
      {"rope", 1e-6,
       [=](Kernels& k) {
         auto y = x;
         k.rope(matrix(cos, rows), matrix(sin, rows), 4, matrix(y, rows));
         return y;
       }},
      {"gelu", 1e-6,
       [=](Kernels& k) {
         auto y = empty();
         k.gated_activation(matrix(x, rows), matrix(z, rows), Activation::kGeluTanh,
                            matrix(y, rows));
         return y;
       }},
      {"silu into gate", 1e-6,
       [=](Kernels& k) {
         auto y = x;
         k.gated_activation(matrix(y, rows), matrix(z, rows), Activation::kSilu, matrix(y, rows));
         return y;
       }},
      {"add", 0.0,
       [=](Kernels& k) {
         auto y = x;
         k.add(matrix(z, rows), matrix(y, rows));
         return y;
       }},
      {"add_rms_norm", 1e-6,
       [=](Kernels& k) {
         auto y = x;
         k.add_rms_norm(matrix(z, rows), {weight, 1e-6F}, 0.3F, matrix(y, rows));
         return y;
       }},
      {"softcap", 1e-6, [=](Kernels& k) {
         auto y = x;
         k.softcap(1.5F, matrix(y, rows));
         return y;
       }}};
  for (const DType dtype : kAllDTypes) {
    const auto w = std::make_shared<StoredWeights>(dtype, kOutputs, kWidth, 1, random);
    const std::vector<float> output_bias = random.normals(kOutputs);
    // A rounded activation is off by 2^-9, one in int8 by 1/254 of its block's largest.
    const double relative = exact ? 1e-6 : 1e-2;
    list.push_back({"linear", relative, [=](Kernels& k) {
                      std::vector<float> y(static_cast<std::size_t>(rows * kOutputs), kNan);
                      k.linear(matrix(x, rows), w->view(), output_bias, matrix(y, rows));
                      return y;
                    }});
    list.push_back({"embed_rows", 1e-7, [=](Kernels& k) {
                      std::vector<TokenId> ids;
                      for (std::int64_t t = 0; t < rows; ++t) {
                        ids.push_back(static_cast<TokenId>((t * 31) % kOutputs));
                      }
                      auto y = empty();
                      k.embed_rows(ids, w->view(), 62.0F, matrix(y, rows));
                      return y;
                    }});
  }
  return list;
}

TEST_P(BackendTest, AgreesWithTheReference) {
  ThreadPool pool(2);
  const auto reference = make_reference_kernels();
  for (const bool exact : {true, false}) {
    const auto kernels = make_cpu_kernels(table(), pool, {.exact = exact});
    for (const std::int64_t rows : {1, 70}) {
      for (const Operation& operation : operations(rows, exact)) {
        const std::vector<float> expected = operation.run(*reference);
        const std::vector<float> actual = operation.run(*kernels);
        float largest = 0.0F;
        for (const float value : expected) {
          largest = std::max(largest, std::abs(value));
        }
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(actual[i], expected[i], operation.relative * static_cast<double>(largest))
              << operation.name << " rows " << rows << " exact " << exact << " element " << i;
        }
      }
    }
  }
}

TEST_P(BackendTest, AnyNumberOfThreadsGivesTheSameBits) {
  for (const std::int64_t rows : {1, 70}) {
    std::vector<std::vector<float>> expected;
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      const auto kernels = make_cpu_kernels(table(), pool, {});
      std::size_t index = 0;
      for (const Operation& operation : operations(rows, false)) {
        const std::vector<float> actual = operation.run(*kernels);
        if (threads == 1) {
          expected.push_back(actual);
        } else {
          EXPECT_TRUE(same_bits(actual, expected[index])) << operation.name << " " << threads;
        }
        ++index;
      }
    }
  }
}

TEST_P(BackendTest, RowsAtOnceEqualRowsOneByOneBitForBit) {
  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  Random random(42);
  const std::int64_t rows = 23;
  for (const DType dtype : kAllDTypes) {
    const StoredWeights w(dtype, 300, 768, 1, random);
    const std::vector<float> x = random.normals(rows * 768);
    std::vector<float> at_once(static_cast<std::size_t>(rows * 300));
    std::vector<float> one_by_one = at_once;
    kernels->linear(matrix(x, rows), w.view(), {}, matrix(at_once, rows));
    for (std::int64_t t = 0; t < rows; ++t) {
      kernels->linear(matrix(x, rows).row_range(t, t + 1), w.view(), {},
                      matrix(one_by_one, rows).row_range(t, t + 1));
    }
    EXPECT_TRUE(same_bits(at_once, one_by_one)) << dtype_name(dtype);
  }
}

TEST_P(BackendTest, ProductsOfPixelsAreTheSameBitsAsThoseOfTheirValues) {
  Random random(46);
  const std::vector<float> weight = random.normals(352);
  const std::vector<float> norm_bias = random.normals(352);
  const std::vector<float> bias = random.normals(45);
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kQ8_0, DType::kQ4_0}) {
    const StoredWeights w(dtype, 45, 352, 0, random);
    for (const bool exact : {true, false}) {
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        const auto kernels = make_cpu_kernels(table(), pool, {.exact = exact});
        for (const std::int64_t rows : {1, 2, 5, 50, 96, 97, 200}) {
          std::vector<std::uint8_t> pixels(static_cast<std::size_t>(rows * 352));
          for (std::uint8_t& pixel : pixels) {
            pixel = static_cast<std::uint8_t>(random.integer(0, 255));
          }
          for (const PixelScale scale : {PixelScale{0.0123F, 0.0F}, PixelScale{1.0F, 254.9F}}) {
            std::vector<float> x;
            for (const std::uint8_t pixel : pixels) {
              x.push_back(scale.value(pixel));
            }
            const PixelRows pixel_rows{pixels.data(), rows, 352, scale};
            std::vector<float> expected(static_cast<std::size_t>(rows * 45));
            std::vector<float> found(expected.size(), kNan);
            kernels->linear(matrix(x, rows), w.view(), bias, matrix(expected, rows));
            kernels->pixel_linear(pixel_rows, {}, w.view(), bias, matrix(found, rows));
            EXPECT_TRUE(same_bits(found, expected)) << dtype_name(dtype) << " rows " << rows;
            kernels->layer_norm(matrix(x, rows), weight, norm_bias, 1e-5F, matrix(x, rows));
            kernels->linear(matrix(x, rows), w.view(), bias, matrix(expected, rows));
            kernels->pixel_linear(pixel_rows, {weight, norm_bias, 1e-5F}, w.view(), bias,
                                  matrix(found, rows));
            EXPECT_TRUE(same_bits(found, expected))
                << dtype_name(dtype) << " rows " << rows << ", normed";
          }
        }
      }
    }
  }
}

TEST_P(BackendTest, MatricesMayBeViewsWithAStride) {
  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  Random random(43);
  for (const DType dtype : kAllDTypes) {
    const StoredWeights w(dtype, 20, 256, 0, random);
    const std::vector<float> x = random.normals(9 * 300);
    std::vector<float> packed;
    for (std::size_t t = 0; t < 9; ++t) {
      packed.insert(packed.end(), x.begin() + static_cast<std::ptrdiff_t>(t * 300),
                    x.begin() + static_cast<std::ptrdiff_t>(t * 300 + 256));
    }
    std::vector<float> y(9 * 50, -7.0F);
    std::vector<float> expected(9 * 20);
    kernels->linear({x.data(), 9, 256, 300}, w.view(), {}, {y.data(), 9, 20, 50});
    kernels->linear(matrix(packed, 9), w.view(), {}, matrix(expected, 9));
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(y[i], i % 50 < 20 ? expected[i / 50 * 20 + i % 50] : -7.0F);
    }
  }
}

TEST_P(BackendTest, NothingHappensForZeroRows) {
  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  Random random(44);
  const StoredWeights w(DType::kF32, 4, 8, 0, random);
  EXPECT_NO_THROW(kernels->linear({nullptr, 0, 8}, w.view(), {}, {nullptr, 0, 4}));
  EXPECT_NO_THROW(kernels->pixel_linear({nullptr, 0, 8}, {}, w.view(), {}, {nullptr, 0, 4}));
  EXPECT_NO_THROW(kernels->add({nullptr, 0, 8}, {nullptr, 0, 8}));
  EXPECT_NO_THROW(kernels->rms_norm({nullptr, 0, 8}, {}, 1e-6F, {nullptr, 0, 8}));
}

TEST_P(BackendTest, WrongShapesAreRefused) {
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  Random random(45);
  const StoredWeights w(DType::kF32, 4, 8, 0, random);
  std::vector<float> a(16);
  std::vector<float> b(16);
  const Matrix x{a.data(), 2, 8};
  const Matrix y{b.data(), 2, 8};
  const Matrix narrow{b.data(), 2, 4};
  const std::vector<float> five(5);
  EXPECT_THROW(kernels->linear(narrow, w.view(), {}, narrow), Error);
  EXPECT_THROW(kernels->linear(x, w.view(), {}, y), Error);
  EXPECT_THROW(kernels->linear(x, w.view(), five, narrow), Error);
  EXPECT_THROW(kernels->linear(x, WeightMatrix{}, {}, narrow), Error);
  EXPECT_THROW(kernels->add(x, narrow), Error);
  EXPECT_THROW(kernels->rms_norm(x, five, 1e-6F, y), Error);
  EXPECT_THROW(kernels->add_rms_norm(x, {five, 1e-6F}, 1.0F, y), Error);
  EXPECT_THROW(kernels->add_rms_norm(x, {}, 1.0F, narrow), Error);
  EXPECT_THROW(kernels->layer_norm(x, {}, {}, 1e-6F, y), Error);
  const std::vector<float> eight(8);
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const StoredWeights eight_to_four(dtype, 4, 8, 0, random);
    const WeightMatrix& v = eight_to_four.view();
    const std::vector<std::uint8_t> bytes(16);
    const PixelRows pixels{bytes.data(), 2, 8};
    EXPECT_THROW(kernels->pixel_linear(pixels, {five, eight}, v, {}, narrow), Error);
    EXPECT_THROW(kernels->pixel_linear(pixels, {eight, {}}, v, {}, narrow), Error);
    EXPECT_THROW(kernels->pixel_linear(pixels, {{}, eight}, v, {}, narrow), Error);
    EXPECT_THROW(kernels->pixel_linear(pixels, {eight, eight}, v, five, narrow), Error);
    EXPECT_THROW(kernels->pixel_linear(pixels, {eight, eight}, v, {}, y), Error);
  }
  EXPECT_THROW(kernels->rms_norm_heads(x, 3, {}, 1e-6F, x), Error);
  EXPECT_THROW(kernels->rope(narrow, narrow, 2, x), Error);
  EXPECT_THROW(kernels->softcap(0.0F, x), Error);
  EXPECT_THROW(kernels->gated_activation(x, narrow, Activation::kSilu, y), Error);
  const std::vector<TokenId> ids = {0, 4};
  EXPECT_THROW(kernels->embed_rows(ids, w.view(), 1.0F, y), Error);
  const std::vector<TokenId> negative = {0, -1};
  EXPECT_THROW(kernels->embed_rows(negative, w.view(), 1.0F, y), Error);
  WeightMatrix ragged = w.view();
  ragged.dtype = DType::kQ8_0;  // 8 columns are not whole blocks
  EXPECT_THROW(kernels->linear(x, ragged, {}, narrow), Error);
  WeightMatrix unscaled = w.view();
  unscaled.dtype = DType::kNf4;
  EXPECT_THROW(kernels->linear(x, unscaled, {}, narrow), Error);
}

}  // namespace
}  // namespace nolens
