// One function per family: a scale around zero, or a scale and a minimum.
#include "formats/gguf/quantize_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/check.h"
#include "core/float16.h"
#include "formats/gguf/quantize_searched.h"

namespace nolens {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kHalf = kBlock / 2;

using Block = std::span<const float, kBlock>;
using Codes = std::array<std::uint8_t, kBlock>;

/// Writes the parts of a block one after the other.
class BlockWriter {
 public:
  explicit BlockWriter(std::byte* out) : out_(out) {}
  template <typename T>
  void put(const T& value) {
    std::memcpy(out_, &value, sizeof(T));
    out_ += sizeof(T);
  }
  /// Value j in the low, value j + 16 in the high half of byte j.
  void put_nibbles(const Codes& codes) {
    for (std::size_t j = 0; j < kHalf; ++j) {
      put(static_cast<std::uint8_t>((codes[j] & 15U) | ((codes[j + kHalf] & 15U) << 4U)));
    }
  }
  /// The fifth bits, value 0 lowest.
  void put_fifth_bits(const Codes& codes) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < kBlock; ++j) {
      bits |= ((codes[j] >> 4U) & 1U) << j;
    }
    put(bits);
  }

 private:
  std::byte* out_;
};

void quantize_q8_0(Block x, std::byte* out) {
  float largest = 0.0F;
  for (const float value : x) {
    largest = std::max(largest, std::fabs(value));
  }
  const float scale = largest / 127.0F;
  const float inverse = scale != 0.0F ? 1.0F / scale : 0.0F;
  BlockWriter block(out);
  block.put(to_f16(scale));
  for (const float value : x) {
    block.put(static_cast<std::int8_t>(std::round(value * inverse)));
  }
}

/// Codes 0 to 2 * middle - 1, `middle` for zero; the value furthest from zero gets code 0.
Codes symmetric_codes(Block x, int middle, float& scale) {
  const float furthest = *std::max_element(
      x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  scale = furthest / static_cast<float>(-middle);
  const float inverse = scale != 0.0F ? 1.0F / scale : 0.0F;
  Codes codes{};
  for (std::size_t j = 0; j < kBlock; ++j) {
    const float shifted = x[j] * inverse + (static_cast<float>(middle) + 0.5F);
    codes[j] = static_cast<std::uint8_t>(std::min(2 * middle - 1, static_cast<int>(shifted)));
  }
  return codes;
}

/// Codes 0 for the minimum to `most` for the maximum.
Codes ranged_codes(Block x, int most, float& scale, float& minimum) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  minimum = *low;
  scale = (*high - *low) / static_cast<float>(most);
  const float inverse = scale != 0.0F ? 1.0F / scale : 0.0F;
  Codes codes{};
  for (std::size_t j = 0; j < kBlock; ++j) {
    const float shifted = (x[j] - minimum) * inverse + 0.5F;
    codes[j] = static_cast<std::uint8_t>(std::min(most, static_cast<int>(shifted)));
  }
  return codes;
}

void quantize_block(DType dtype, Block x, std::byte* out) {
  float scale = 0.0F;
  float minimum = 0.0F;
  BlockWriter block(out);
  switch (dtype) {
    case DType::kQ8_0: return quantize_q8_0(x, out);
    case DType::kIQ4_NL: return quantize_iq4_nl(x, out);
    case DType::kQ4_0: {
      const Codes codes = symmetric_codes(x, 8, scale);
      block.put(to_f16(scale));
      return block.put_nibbles(codes);
    }
    case DType::kQ5_0: {
      const Codes codes = symmetric_codes(x, 16, scale);
      block.put(to_f16(scale));
      block.put_fifth_bits(codes);
      return block.put_nibbles(codes);
    }
    case DType::kQ4_1: {
      const Codes codes = ranged_codes(x, 15, scale, minimum);
      block.put(to_f16(scale));
      block.put(to_f16(minimum));
      return block.put_nibbles(codes);
    }
    default: {
      const Codes codes = ranged_codes(x, 31, scale, minimum);
      block.put(to_f16(scale));
      block.put(to_f16(minimum));
      block.put_fifth_bits(codes);
      return block.put_nibbles(codes);
    }
  }
}

template <typename Convert>
void convert_row(std::span<const float> values, std::byte* out, Convert convert) {
  for (const float value : values) {
    const auto stored = convert(value);
    std::memcpy(out, &stored, sizeof(stored));
    out += sizeof(stored);
  }
}

}  // namespace

bool can_quantize(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBf16:
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ6_K:
    case DType::kIQ4_NL: return true;
    default: return false;
  }
}

void quantize_row(DType dtype, std::span<const float> values, std::span<std::byte> out) {
  const auto count = static_cast<std::int64_t>(values.size());
  NOLENS_CHECK(can_quantize(dtype) && count % block_size(dtype) == 0 &&
               static_cast<std::int64_t>(out.size()) == row_bytes(dtype, count));
  switch (dtype) {
    case DType::kF32: return convert_row(values, out.data(), [](float value) { return value; });
    case DType::kF16:
      return convert_row(values, out.data(), [](float value) { return to_f16(value); });
    case DType::kBf16:
      return convert_row(values, out.data(), [](float value) { return to_bf16(value); });
    default: break;
  }
  const auto block_bytes = static_cast<std::size_t>(traits(dtype).bytes);
  if (dtype == DType::kQ6_K) {
    constexpr std::size_t kSuperBlock = 256;
    for (std::size_t i = 0; i < values.size() / kSuperBlock; ++i) {
      quantize_q6_k(values.subspan(i * kSuperBlock).first<kSuperBlock>(), out.data() + i * block_bytes);
    }
    return;
  }
  for (std::size_t i = 0; i < values.size() / kBlock; ++i) {
    quantize_block(dtype, values.subspan(i * kBlock).first<kBlock>(), out.data() + i * block_bytes);
  }
}

}  // namespace nolens
