// One 64-bit hash per value (the finaliser of Stafford's variant 13, as in SplitMix64); the sum of
// its four 16-bit parts is bell-shaped.
#include "formats/synthetic_values.h"

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

/// The four parts are uniform on 0…65535: the sum has mean 131070 and variance 4 (2^32 - 1) / 12.
constexpr float kSumMean = 131'070.0F;
constexpr float kSumDeviation = 37'837.2F;

template <typename Stored, typename Convert>
void fill(std::uint64_t stream, ValueDistribution distribution, std::int64_t begin,
          std::span<std::byte> out, Convert convert) noexcept {
  const float scale = distribution.deviation / kSumDeviation;
  const float offset = distribution.mean - kSumMean * scale;
  const auto count = static_cast<std::int64_t>(out.size() / sizeof(Stored));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = mix(stream + static_cast<std::uint64_t>(begin + i) * kGoldenGamma);
    const std::uint64_t pairs =
        (bits & 0x0000'FFFF'0000'FFFFU) + ((bits >> 16U) & 0x0000'FFFF'0000'FFFFU);
    const auto sum = static_cast<std::int32_t>((pairs >> 32U) + (pairs & 0xFFFF'FFFFU));
    const Stored stored = convert(static_cast<float>(sum) * scale + offset);
    std::memcpy(out.data() + static_cast<std::size_t>(i) * sizeof(Stored), &stored, sizeof(Stored));
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
    case DType::kQ8_0: break;
  }
  NOLENS_CHECK(dtype != DType::kQ8_0);
}

}  // namespace nolens
