// One 64-bit hash for four values (SplitMix64; Steele, Lea and Flood 2014); each looks its value up
// in a table of quantiles, which is the fastest way to a bell curve.
#include "formats/synthetic_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/check.h"
#include "core/float16.h"

namespace nolens {
namespace {

constexpr std::uint64_t kGoldenGamma = 0x9E37'79B9'7F4A'7C15U;

constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D0'49BB'1331'11EBU;
  return value ^ (value >> 31U);
}

/// FNV-1a.
constexpr std::uint64_t hash(std::string_view text) noexcept {
  std::uint64_t value = 0xCBF2'9CE4'8422'2325U;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01B3U;
  }
  return value;
}

constexpr std::int64_t kValuesPerHash = 4;
constexpr unsigned kIndexBits = 12;
constexpr std::size_t kQuantiles = std::size_t{1} << kIndexBits;

/// Quantiles of the normal distribution at (k + 1/2) / kQuantiles, found by bisection once.
const std::array<float, kQuantiles>& normal_quantiles() {
  static const auto table = [] {
    std::array<float, kQuantiles> quantiles{};
    for (std::size_t k = 0; k < kQuantiles; ++k) {
      const double share = (static_cast<double>(k) + 0.5) / static_cast<double>(kQuantiles);
      double low = -8.0;
      double high = 8.0;
      for (int step = 0; step < 40; ++step) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < share ? low : high) = middle;
      }
      quantiles[k] = static_cast<float>(low);
    }
    return quantiles;
  }();
  return table;
}

template <typename Stored, typename Convert>
void fill(std::uint64_t stream, ValueDistribution distribution, std::int64_t begin,
          std::span<std::byte> out, Convert convert) {
  std::array<Stored, kQuantiles> values;
  std::transform(normal_quantiles().begin(), normal_quantiles().end(), values.begin(),
                 [&](float z) { return convert(distribution.mean + distribution.deviation * z); });
  const std::int64_t end = begin + static_cast<std::int64_t>(out.size() / sizeof(Stored));
  std::byte* target = out.data();
  for (std::int64_t i = begin; i < end;) {
    const std::int64_t block = i / kValuesPerHash;
    const std::int64_t lane = i % kValuesPerHash;
    const std::int64_t count = std::min(kValuesPerHash - lane, end - i);
    std::uint64_t bits = mix(stream + static_cast<std::uint64_t>(block) * kGoldenGamma);
    bits >>= static_cast<unsigned>(16 * lane);
    for (std::int64_t k = 0; k < count; ++k, bits >>= 16U, target += sizeof(Stored)) {
      std::memcpy(target, &values[bits % kQuantiles], sizeof(Stored));
    }
    i += count;
  }
}

}  // namespace

ValueDistribution synthetic_distribution(const NamedShape& tensor) {
  const std::string_view name = tensor.name;
  const auto width = static_cast<float>(tensor.shape.back());
  if (name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight")) {
    const float around = std::pow(width, -0.25F);
    return {around, 0.05F * around};
  }
  if (name.ends_with(".bias")) {
    return {0.0F, 0.05F};
  }
  if (name.ends_with("pos_embedding")) {
    return {0.0F, 0.3F};
  }
  if (name.ends_with("language_model.norm.weight")) {
    return {0.0F, 4.0F};
  }
  if (tensor.shape.size() == 1) {
    return {1.0F, 0.05F};
  }
  return {0.0F, 1.0F / std::sqrt(width)};
}

void fill_synthetic(std::string_view name, std::uint64_t seed, ValueDistribution distribution,
                    DType dtype, std::int64_t begin, std::span<std::byte> out) {
  const std::uint64_t stream = mix(hash(name) + mix(seed + kGoldenGamma));
  switch (dtype) {
    case DType::kF32:
      return fill<float>(stream, distribution, begin, out, [](float value) { return value; });
    case DType::kF16:
      return fill<F16>(stream, distribution, begin, out, [](float value) { return to_f16(value); });
    case DType::kBf16:
      return fill<Bf16>(stream, distribution, begin, out,
                        [](float value) { return to_bf16(value); });
    default: break;
  }
  NOLENS_CHECK(is_plain(dtype));
}

}  // namespace nolens
