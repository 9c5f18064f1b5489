// Number formats a weight may be stored in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nolens {

enum class DType : std::uint8_t { kF32, kF16, kBf16, kQ8_0 };

/// 32 weights with one half-precision scale, as GGUF stores them: value = d * qs[j].
struct BlockQ8_0 {
  std::uint16_t d;      ///< scale, IEEE half
  std::int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);
inline constexpr std::int64_t kQ8_0BlockSize = 32;

[[nodiscard]] constexpr std::string_view dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32: return "F32";
    case DType::kF16: return "F16";
    case DType::kBf16: return "BF16";
    case DType::kQ8_0: return "Q8_0";
  }
  return "?";
}

/// Values that share one storage unit: a row's length must be a multiple of it.
[[nodiscard]] constexpr std::int64_t block_size(DType dtype) noexcept {
  return dtype == DType::kQ8_0 ? kQ8_0BlockSize : 1;
}

/// Bytes of one row of `columns` values; columns is a multiple of block_size(dtype).
[[nodiscard]] constexpr std::int64_t row_bytes(DType dtype, std::int64_t columns) noexcept {
  switch (dtype) {
    case DType::kF32: return columns * 4;
    case DType::kF16:
    case DType::kBf16: return columns * 2;
    case DType::kQ8_0: return columns / kQ8_0BlockSize * 34;
  }
  return 0;
}

}  // namespace nolens
