// bfloat16 checkpoints: the engine must be as close to a float32 run of the same weights as the
// reference's own bfloat16 run is, or closer.
#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>

#include "nolens/session.h"

#include "parity/golden_case.h"

namespace nolens {
namespace {

using testing::golden_directory;
using testing::GoldenCase;
using testing::max_difference;

std::vector<float> all_logits(const GoldenCase& golden, bool exact) {
  const auto model = Model::load(golden_directory() / golden.json.at("model").get<std::string>(),
                                 {.num_threads = 2, .exact = exact});
  Session session(model);
  std::vector<float> logits;
  session.append(golden.prompt(), {.on_logits = [&](std::int64_t, std::span<const float> row) {
                   logits.insert(logits.end(), row.begin(), row.end());
                 }});
  return logits;
}

/// Mean over positions of KL(softmax(reference) || softmax(other)), in nats.
double mean_kl(const std::vector<float>& reference, const std::vector<float>& other,
               std::size_t vocab_size) {
  const auto log_sum = [&](const std::vector<float>& logits, std::size_t row) {
    double sum = 0.0;
    for (std::size_t i = 0; i < vocab_size; ++i) {
      sum += std::exp(static_cast<double>(logits[row * vocab_size + i]));
    }
    return std::log(sum);
  };
  double total = 0.0;
  const std::size_t rows = reference.size() / vocab_size;
  for (std::size_t row = 0; row < rows; ++row) {
    const double reference_sum = log_sum(reference, row);
    const double other_sum = log_sum(other, row);
    for (std::size_t i = row * vocab_size; i < (row + 1) * vocab_size; ++i) {
      const double p = static_cast<double>(reference[i]) - reference_sum;
      const double q = static_cast<double>(other[i]) - other_sum;
      total += std::exp(p) * (p - q);
    }
  }
  return total / static_cast<double>(rows);
}

class GoldenBf16 : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenBf16, ExactRunEqualsAFloat32RunOfTheReference) {
  const GoldenCase golden(GetParam());
  EXPECT_LE(max_difference(all_logits(golden, true), golden.tensor("f32.logits")), 2e-4F);
}

TEST_P(GoldenBf16, DefaultRunIsCloserToFloat32ThanTheReferencesBfloat16Run) {
  const GoldenCase golden(GetParam());
  const std::vector<float> logits = all_logits(golden, false);
  const std::vector<float> float32 = golden.tensor("f32_bf16_scale.logits");
  ASSERT_EQ(logits.size(), float32.size());
  const Json& theirs = golden.json.at("distances").at("bf16 from f32_bf16_scale");
  const float distance = max_difference(logits, float32);
  const double kl = mean_kl(float32, logits, 512);
  RecordProperty("max_abs", std::to_string(distance));
  RecordProperty("mean_kl", std::to_string(kl));
  EXPECT_LE(distance, theirs.at("max_abs").get<float>());
  EXPECT_LE(kl, theirs.at("mean_kl").get<double>());
  std::printf("max abs %.4f (reference %.4f), mean KL %.2e (reference %.2e)\n",
              static_cast<double>(distance), theirs.at("max_abs").get<double>(), kl,
              theirs.at("mean_kl").get<double>());
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenBf16, ::testing::Values("bf16_text", "bf16_one_image"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace nolens
