// Codebooks as bytes.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/cpu/stored_rows.h"

namespace nolens {
namespace {

// bitsandbytes, functional.py
constexpr std::array<float, 16> kNf4 = {-1.0F,         -0.696192801F, -0.525073051F,  -0.394917488F,
                                        -0.284441382F, -0.184773430F, -0.0910500363F, 0.0F,
                                        0.0795802996F, 0.160930201F,  0.246112302F,   0.337915242F,
                                        0.440709829F,  0.562617004F,  0.722956836F,   1.0F};
constexpr std::array<float, 16> kFp4 = {
    0.0F,  0.00520833F,  2.0F / 3,  1.0F,  1.0F / 3,  0.5F,  1.0F / 6,  0.25F,
    -0.0F, -0.00520833F, -2.0F / 3, -1.0F, -1.0F / 3, -0.5F, -1.0F / 6, -0.25F};

double squared_error(const std::array<float, 16>& codebook, const ByteCodebook& bytes) {
  double sum = 0.0;
  for (std::size_t i = 0; i < codebook.size(); ++i) {
    const double value = static_cast<double>(bytes.step) * (bytes.codes[i] - kCodebookZero);
    sum += std::pow(value - static_cast<double>(codebook[i]), 2);
  }
  return sum;
}

TEST(ByteCodebook, EntriesAreNearestMultiplesOfTheStep) {
  for (const auto& codebook : {kNf4, kFp4}) {
    const ByteCodebook bytes = byte_codebook(codebook);
    for (std::size_t i = 0; i < codebook.size(); ++i) {
      const float value = bytes.step * static_cast<float>(bytes.codes[i] - kCodebookZero);
      EXPECT_LE(std::abs(value - codebook[i]), 0.5F * bytes.step * 1.0001F);
    }
  }
}

TEST(ByteCodebook, SecondBytesLeaveLessThanA256thOfTheStep) {
  for (const auto& codebook : {kNf4, kFp4}) {
    const ByteCodebook bytes = byte_codebook(codebook);
    bool any = false;
    for (std::size_t i = 0; i < codebook.size(); ++i) {
      const int fine = bytes.fine[i] - kCodebookZero;
      any = any || fine != 0;
      const float value = bytes.step * (static_cast<float>(bytes.codes[i] - kCodebookZero) +
                                        kFineStep * static_cast<float>(fine));
      EXPECT_LE(std::abs(value - codebook[i]), bytes.step * kFineStep);
    }
    EXPECT_TRUE(any);
  }
}

TEST(ByteCodebook, StepsAreChosenForTheLeastError) {
  // With the largest entry at 127 the sums of squares are 7.7e-5 and 8.4e-5.
  EXPECT_LT(squared_error(kNf4, byte_codebook(kNf4)), 4.8e-5);
  EXPECT_LT(squared_error(kFp4, byte_codebook(kFp4)), 2e-5);
  EXPECT_NEAR(byte_codebook(kFp4).step, 1.0F / 120, 1e-6F);
}

TEST(ByteCodebook, OfZerosOrNonsenseIsZeros) {
  std::array<float, 16> codebook{};
  EXPECT_TRUE(std::ranges::all_of(byte_codebook(codebook).codes,
                                  [](unsigned char code) { return code == kCodebookZero; }));
  codebook[3] = std::nanf("");
  codebook[4] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::ranges::all_of(byte_codebook(codebook).codes,
                                  [](unsigned char code) { return code == kCodebookZero; }));
}

}  // namespace
}  // namespace nolens
