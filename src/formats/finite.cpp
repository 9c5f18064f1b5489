// An element is not finite if and only if all its exponent bits are set; a quantised one is finite
// if its scales are.
#include "formats/finite.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>

#include "core/check.h"
#include "core/checked_math.h"
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

/// The first block of a block format with a scale that is not finite.
std::optional<std::int64_t> first_bad_block(const TensorView& tensor) noexcept {
  const BlockHalves halves = block_halves(tensor.dtype);
  const std::int64_t stride = traits(tensor.dtype).bytes;
  std::optional<std::int64_t> first;
  for (std::int64_t i = 0; i < halves.count; ++i) {
    const auto block = first_with<std::uint16_t>(tensor.data + halves.offset + 2 * i,
                                                 tensor.bytes / stride, kF16Exponent, stride);
    if (block && (!first || *block < *first)) {
      first = block;
    }
  }
  return first;
}

float load_float(const unsigned char* data, std::int64_t index) noexcept {
  float value = 0.0F;
  std::memcpy(&value, data + 4 * index, 4);
  return value;
}

/// Scale of block `b` of NF4 and FP4, of row `b` of INT8.
float scale_of(const WeightScales& scales, std::int64_t b) noexcept {
  if (!scales.nested) {
    return load_float(scales.absmax, b);
  }
  const float outer = load_float(scales.nested_absmax, b / scales.nested_block_size);
  return scales.nested_codebook[scales.absmax[b]] * outer + scales.nested_offset;
}

/// Values that share one scale of WeightScales.
std::int64_t values_per_scale(const TensorView& tensor) noexcept {
  return tensor.dtype == DType::kInt8 ? tensor.shape.back() : tensor.scales->block_size;
}

std::optional<std::int64_t> first_bad_scale(const TensorView& tensor) noexcept {
  const std::int64_t values = tensor.bytes / traits(tensor.dtype).bytes * block_size(tensor.dtype);
  const std::int64_t count = ceil_div(values, values_per_scale(tensor));
  for (std::int64_t b = 0; b < count; ++b) {
    if (!std::isfinite(scale_of(*tensor.scales, b))) {
      return b;
    }
  }
  return std::nullopt;
}

/// The value at `index`; of blocks the scale that is not finite, else the first.
float value_at(const TensorView& tensor, std::int64_t index) noexcept {
  if (needs_scales(tensor.dtype)) {
    return scale_of(*tensor.scales, index / values_per_scale(tensor));
  }
  switch (tensor.dtype) {
    case DType::kF32: return load<float>(tensor.data, index, 4);
    case DType::kF16: return to_float(F16{load<std::uint16_t>(tensor.data, index, 2)});
    case DType::kBf16: return to_float(Bf16{load<std::uint16_t>(tensor.data, index, 2)});
    default: break;
  }
  const DTypeTraits& unit = traits(tensor.dtype);
  const BlockHalves halves = block_halves(tensor.dtype);
  float value = 0.0F;
  for (std::int64_t i = 0; i < halves.count && std::isfinite(value); ++i) {
    value = to_float(F16{
        load<std::uint16_t>(tensor.data + halves.offset + 2 * i, index / unit.values, unit.bytes)});
  }
  return value;
}

}  // namespace

std::optional<std::int64_t> find_nonfinite(const TensorView& tensor) noexcept {
  if (tensor.layout == WeightLayout::kPanels) {
    return std::nullopt;
  }
  if (needs_scales(tensor.dtype)) {
    const auto scale = first_bad_scale(tensor);
    return scale ? std::optional(*scale * values_per_scale(tensor)) : std::nullopt;
  }
  switch (tensor.dtype) {
    case DType::kF32:
      return first_with<std::uint32_t>(tensor.data, tensor.bytes / 4, kF32Exponent, 4);
    case DType::kF16:
      return first_with<std::uint16_t>(tensor.data, tensor.bytes / 2, kF16Exponent, 2);
    case DType::kBf16:
      return first_with<std::uint16_t>(tensor.data, tensor.bytes / 2, kBf16Exponent, 2);
    default: {
      const auto block = first_bad_block(tensor);
      return block ? std::optional(*block * block_size(tensor.dtype)) : std::nullopt;
    }
  }
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
