// An element is not finite if and only if all its exponent bits are set.
#include "formats/finite.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>

#include "core/check.h"
#include "core/escape.h"
#include "core/float16.h"

namespace nolens {
namespace {

/// Bytes looked at before the result is asked for: long enough to hide the branch, short enough to
/// stay in the first-level cache for the second look.
constexpr std::int64_t kChunkBytes = 16384;

template <typename Bits>
Bits load(const std::byte* data, std::int64_t index, std::int64_t stride) noexcept {
  Bits bits;
  std::memcpy(&bits, data + index * stride, sizeof(bits));
  return bits;
}

/// Index of the first of `count` patterns, `stride` bytes apart, with all bits of `exponent` set.
template <typename Bits>
std::optional<std::int64_t> first_with(const std::byte* data, std::int64_t count, Bits exponent,
                                       std::int64_t stride) noexcept {
  const std::int64_t chunk = kChunkBytes / stride;
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, count);
    Bits any = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const Bits bits = load<Bits>(data, i, stride);
      any = static_cast<Bits>(any | static_cast<Bits>((bits & exponent) == exponent));
    }
    for (std::int64_t i = begin; any != 0 && i < end; ++i) {
      if ((load<Bits>(data, i, stride) & exponent) == exponent) {
        return i;
      }
    }
  }
  return std::nullopt;
}

constexpr std::uint32_t kF32Exponent = 0x7F80'0000U;
constexpr std::uint16_t kBf16Exponent = 0x7F80U;
constexpr std::uint16_t kF16Exponent = 0x7C00U;

/// The value at `index`; for Q8_0 the scale of its block.
float value_at(const TensorView& tensor, std::int64_t index) noexcept {
  switch (tensor.dtype) {
    case DType::kF32: return load<float>(tensor.data, index, 4);
    case DType::kF16: return to_float(F16{load<std::uint16_t>(tensor.data, index, 2)});
    case DType::kBf16: return to_float(Bf16{load<std::uint16_t>(tensor.data, index, 2)});
    case DType::kQ8_0:
      return to_float(F16{load<std::uint16_t>(tensor.data, index / kQ8_0BlockSize,
                                              static_cast<std::int64_t>(sizeof(BlockQ8_0)))});
  }
  return 0.0F;
}

}  // namespace

std::optional<std::int64_t> find_nonfinite(const TensorView& tensor) noexcept {
  switch (tensor.dtype) {
    case DType::kF32:
      return first_with<std::uint32_t>(tensor.data, tensor.bytes / 4, kF32Exponent, 4);
    case DType::kF16:
      return first_with<std::uint16_t>(tensor.data, tensor.bytes / 2, kF16Exponent, 2);
    case DType::kBf16:
      return first_with<std::uint16_t>(tensor.data, tensor.bytes / 2, kBf16Exponent, 2);
    case DType::kQ8_0: {
      constexpr auto kStride = static_cast<std::int64_t>(sizeof(BlockQ8_0));
      const auto block =
          first_with<std::uint16_t>(tensor.data, tensor.bytes / kStride, kF16Exponent, kStride);
      return block ? std::optional(*block * kQ8_0BlockSize) : std::nullopt;
    }
  }
  return std::nullopt;
}

void check_finite(const TensorView& tensor) {
  const auto index = find_nonfinite(tensor);
  if (!index) {
    return;
  }
  const float value = value_at(tensor, *index);
  throw Error(ErrorCode::kModel,
              tensor.file + ": tensor '" + escape_for_message(tensor.name) + "' has " +
                  (std::isnan(value) ? "NaN" : (value < 0 ? "-infinity" : "infinity")) +
                  " at element " + std::to_string(*index) +
                  "; the file is damaged or its training diverged (--allow-nonfinite loads it "
                  "all the same)");
}

}  // namespace nolens
