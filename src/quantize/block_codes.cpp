// The nearest entry of a sorted codebook is the number of midpoints below the value.
#include "quantize/block_codes.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/check.h"
#include "quantize/codebooks.h"

namespace nolens {
namespace {

constexpr auto kBlock = static_cast<std::size_t>(kCodeBlock);
/// Keeps the reciprocal of a block of zeros finite.
constexpr float kSmallestScale = 1e-38F;

struct Thresholds {
  std::array<float, 15> midpoints;     ///< ascending
  std::array<std::uint8_t, 16> order;  ///< codes in order of their entries
};

constexpr Thresholds make_thresholds(const std::array<float, 16>& codebook,
                                     const std::array<std::uint8_t, 16>& order) {
  Thresholds thresholds{{}, order};
  for (std::size_t i = 0; i < 15; ++i) {
    thresholds.midpoints[i] = (codebook[order[i]] + codebook[order[i + 1]]) / 2.0F;
  }
  return thresholds;
}

constexpr Thresholds kNf4Thresholds =
    make_thresholds(kNf4Codebook, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
/// The two zeros stand as the library sorts them: values up to 0 get code 0, small ones above it
/// code 8.
constexpr Thresholds kFp4Thresholds =
    make_thresholds(kFp4Codebook, {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3});

/// One pass over the midpoints with the block in registers or the nearest cache, which compilers
/// turn into vectors.
void quantize_block(const Thresholds& thresholds, const float* values, float absmax,
                    std::byte* out) noexcept {
  const float inverse = 1.0F / std::max(absmax, kSmallestScale);
  std::array<float, kBlock> scaled{};
  std::array<std::int32_t, kBlock> ranks{};
  for (std::size_t i = 0; i < kBlock; ++i) {
    scaled[i] = std::min(std::max(values[i] * inverse, -1.0F), 1.0F);
  }
  for (const float midpoint : thresholds.midpoints) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      ranks[i] += scaled[i] > midpoint ? 1 : 0;
    }
  }
  for (std::size_t i = 0; i < kBlock; i += 2) {
    const auto high = static_cast<unsigned>(thresholds.order[static_cast<std::size_t>(ranks[i])]);
    const auto low =
        static_cast<unsigned>(thresholds.order[static_cast<std::size_t>(ranks[i + 1])]);
    out[i / 2] = static_cast<std::byte>(high << 4U | low);
  }
}

std::array<float, 255> midpoints_of(const std::array<float, 256>& codebook) {
  std::array<float, 255> midpoints{};
  for (std::size_t i = 0; i < midpoints.size(); ++i) {
    midpoints[i] = (codebook[i] + codebook[i + 1]) / 2.0F;
  }
  return midpoints;
}

/// `count` points from 0.1 to 1 as torch.linspace() rounds them: the second half counts down
/// from 1.
float spaced_point(std::int64_t index, std::int64_t count) {
  constexpr float kFirst = 0.1F;
  const float step = (1.0F - kFirst) / static_cast<float>(count - 1);
  const auto times = [&](std::int64_t n) {
    return static_cast<double>(step) * static_cast<double>(n);
  };
  return static_cast<float>(index < count / 2 ? static_cast<double>(kFirst) + times(index)
                                              : 1.0 - times(count - index - 1));
}

}  // namespace

std::array<float, 256> dynamic_codebook() {
  constexpr std::array<float, 7> kPowers = {1e-6F, 1e-5F, 1e-4F, 1e-3F, 1e-2F, 1e-1F, 1.0F};
  std::array<float, 256> codebook{};
  std::size_t next = 0;
  for (std::size_t e = 0; e < kPowers.size(); ++e) {
    const std::int64_t count = (std::int64_t{1} << e) + 1;
    for (std::int64_t k = 0; k + 1 < count; ++k) {
      const float mean = (spaced_point(k, count) + spaced_point(k + 1, count)) / 2.0F;
      codebook[next++] = kPowers[e] * mean;
      codebook[next++] = -(kPowers[e] * mean);
    }
  }
  codebook[next++] = 0.0F;
  codebook[next++] = 1.0F;
  std::sort(codebook.begin(), codebook.end());
  return codebook;
}

void find_absmax(std::span<const float> values, std::span<float> absmax) noexcept {
  for (std::size_t b = 0; b < absmax.size(); ++b) {
    const float* block = values.data() + b * kBlock;
    // Magnitudes are in the order of their bits, and what is not finite is above all that is.
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      largest = std::max(largest, std::bit_cast<std::uint32_t>(block[i]) & 0x7FFF'FFFFU);
    }
    absmax[b] = std::bit_cast<float>(largest);
  }
}

void quantize_codes(DType dtype, std::span<const float> values, std::span<const float> absmax,
                    std::span<std::byte> codes) noexcept {
  const Thresholds& thresholds = dtype == DType::kNf4 ? kNf4Thresholds : kFp4Thresholds;
  for (std::size_t b = 0; b < absmax.size(); ++b) {
    quantize_block(thresholds, values.data() + b * kBlock, absmax[b],
                   codes.data() + b * kBlock / 2);
  }
}

const std::array<float, 16>& codebook_of(DType dtype) noexcept {
  return dtype == DType::kNf4 ? kNf4Codebook : kFp4Codebook;
}

NestedScales nest_scales(std::span<const float> absmax) {
  double sum = 0.0;
  for (const float value : absmax) {
    sum += static_cast<double>(value);
  }
  return nest_scales(absmax, static_cast<float>(sum / static_cast<double>(absmax.size())));
}

NestedScales nest_scales(std::span<const float> absmax, float offset) {
  NOLENS_CHECK(!absmax.empty());
  const std::array<float, 256> codebook = dynamic_codebook();
  const std::array<float, 255> midpoints = midpoints_of(codebook);
  NestedScales nested;
  nested.offset = offset;
  nested.codes.reserve(absmax.size());
  constexpr auto kStep = static_cast<std::size_t>(kNestedBlock);
  for (std::size_t begin = 0; begin < absmax.size(); begin += kStep) {
    const auto block = absmax.subspan(begin, std::min(kStep, absmax.size() - begin));
    float largest = 0.0F;
    for (const float value : block) {
      largest = std::max(largest, std::fabs(value - offset));
    }
    nested.absmax.push_back(largest);
    const float inverse = 1.0F / std::max(largest, kSmallestScale);
    for (const float value : block) {
      const float scaled = std::min(std::max((value - offset) * inverse, -1.0F), 1.0F);
      const auto rank = std::lower_bound(midpoints.begin(), midpoints.end(), scaled);
      nested.codes.push_back(static_cast<unsigned char>(rank - midpoints.begin()));
    }
  }
  return nested;
}

}  // namespace nolens
