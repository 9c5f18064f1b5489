// Number formats a weight may be stored in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nolens {

/// F32, F16, BF16; the blocks of GGUF files; the 4-bit codes and int8 rows of bitsandbytes, whose scales
/// lie beside the weight (core/weight_scales.h).
enum class DType : std::uint8_t {
  kF32, kF16, kBf16,
  kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K, kIQ4_NL,
  kNf4, kFp4, kInt8,
};
inline constexpr std::size_t kDTypeCount = 15;

/// One storage unit: `values` consecutive values of a row in `bytes` bytes.
struct DTypeTraits {
  std::string_view name;
  std::int64_t values;
  std::int64_t bytes;
};

/// Indexed by DType.
inline constexpr std::array<DTypeTraits, kDTypeCount> kDTypeTraits = {{
    {"F32", 1, 4}, {"F16", 1, 2}, {"BF16", 1, 2},
    {"Q8_0", 32, 34}, {"Q4_0", 32, 18}, {"Q4_1", 32, 20}, {"Q5_0", 32, 22}, {"Q5_1", 32, 24},
    {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210}, {"IQ4_NL", 32, 18},
    {"NF4", 2, 1}, {"FP4", 2, 1}, {"INT8", 1, 1},
}};

[[nodiscard]] constexpr const DTypeTraits& traits(DType dtype) noexcept {
  return kDTypeTraits[static_cast<std::size_t>(dtype)];
}

[[nodiscard]] constexpr std::string_view dtype_name(DType dtype) noexcept { return traits(dtype).name; }

/// True for F32, F16 and BF16: each value is stored by itself and needs no scale.
[[nodiscard]] constexpr bool is_plain(DType dtype) noexcept { return dtype <= DType::kBf16; }

/// True for the formats whose scales lie beside the weight.
[[nodiscard]] constexpr bool needs_scales(DType dtype) noexcept { return dtype >= DType::kNf4; }

/// Values that share one storage unit: a row's length must be a multiple of it.
[[nodiscard]] constexpr std::int64_t block_size(DType dtype) noexcept { return traits(dtype).values; }

/// Bytes of one row of `columns` values; columns is a multiple of block_size(dtype).
[[nodiscard]] constexpr std::int64_t row_bytes(DType dtype, std::int64_t columns) noexcept {
  return columns / traits(dtype).values * traits(dtype).bytes;
}

/// Half-precision scales of one block: `count` of them, one after the other, from byte `offset`.
struct BlockHalves {
  std::int64_t offset;
  std::int64_t count;
};

/// Of a block format; count is 0 for the others.
[[nodiscard]] constexpr BlockHalves block_halves(DType dtype) noexcept {
  switch (dtype) {
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kIQ4_NL: return {0, 1};
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K: return {0, 2};
    case DType::kQ6_K: return {208, 1};
    default: return {0, 0};
  }
}

/// 32 weights with one half-precision scale, as GGUF stores them: value = d * qs[j].
struct BlockQ8_0 {
  std::uint16_t d;  ///< scale, IEEE half
  std::int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);
inline constexpr std::int64_t kQ8_0BlockSize = 32;

}  // namespace nolens
