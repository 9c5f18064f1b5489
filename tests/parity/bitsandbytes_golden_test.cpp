// Whole models quantised with bitsandbytes against transformers with the dequantised weights, in
// float32 (tests/reference/make_bnb_goldens.py).
#include <algorithm>

#include <gtest/gtest.h>

#include "nolens/session.h"

#include "parity/golden_case.h"

namespace nolens {
namespace {

using testing::GoldenCase;
using testing::max_difference;

constexpr float kLogitBound = 2e-4F;

class BitsAndBytesModel : public ::testing::TestWithParam<const char*> {};

TEST_P(BitsAndBytesModel, LogitsAreThoseOfTheDequantisedModel) {
  const GoldenCase golden(std::string("bnb/") + GetParam());
  const auto model = golden.load_model();
  const auto step = golden.json.at("row_step").get<std::int64_t>();
  Session session(model, {.mask_rule = MaskRule::kCanonical});
  std::vector<float> rows;
  session.append(golden.prompt(),
                 {.on_logits = [&](std::int64_t position, std::span<const float> row) {
                   if (position % step == 0) {
                     rows.insert(rows.end(), row.begin(), row.end());
                   }
                 }});
  EXPECT_LE(max_difference(rows, golden.tensor("canonical.logits")), kLogitBound);
  EXPECT_LE(max_difference(session.logits(), golden.tensor("canonical.last_logits")), kLogitBound);
  // The case would notice if the weights before quantisation were used.
  EXPECT_GE(golden.json.at("largest_difference_to_unquantised").get<float>(), 50 * kLogitBound);
}

INSTANTIATE_TEST_SUITE_P(Types, BitsAndBytesModel, ::testing::Values("nf4", "fp4", "int8"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace nolens
