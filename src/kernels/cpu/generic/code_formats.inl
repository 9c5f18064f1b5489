// The formats of bitsandbytes as floats: NF4 and FP4, 4-bit codes into a codebook, and INT8 rows.
// Their scales lie beside the weight (WeightRows::scales). The float operations are those of
// bitsandbytes, in its order, so that every value has its exact bits.
#pragma once

namespace nolens {
namespace {

inline float float_at(const unsigned char* p) noexcept {
  float value = 0.0F;
  __builtin_memcpy(&value, p, 4);
  return value;
}

/// Nearest bfloat16, ties to even, of values that are not NaN.
inline Vec round_to_bf16(Vec value) noexcept {
  const Ints bits = bits_of(value);
  const Ints odd = bit_and(shift_right<16>(bits), 1);
  return from_bits(bit_and(add(add(bits, odd), 0x7FFF), -0x10000));
}

/// NF4, FP4: value i of the flattened weight = codebook[code i] * scale(i / block_size), rounded to
/// the type the weight had. A block runs over the flattened weight and may begin and end inside a
/// row. Byte i holds the codes 2i, in its high half, and 2i + 1.
struct CodeFormat {
  static void expand(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                     float* y) noexcept {
    const BlockScales& scales = *w.scales;
    std::int64_t i = row * w.row_bytes * 2 + k0;  // index in the flattened weight
    const std::int64_t end = i + count;
    while (i < end) {
      const std::int64_t block = i / scales.block_size;
      const std::int64_t block_end = (block + 1) * scales.block_size;
      const std::int64_t n = (block_end < end ? block_end : end) - i;
      expand_codes(scales, scale_of(scales, block), w.data + i / 2, n, y);
      i += n;
      y += n;
    }
  }

 private:
  static float scale_of(const BlockScales& scales, std::int64_t block) noexcept {
    if (scales.nested_absmax == nullptr) {
      return float_at(scales.absmax + 4 * block);
    }
    const float outer = float_at(scales.nested_absmax + 4 * (block / scales.nested_block_size));
    return scales.nested_codebook[scales.absmax[block]] * outer + scales.nested_offset;
  }

  /// The block's 16 values are computed once, then looked up.
  static void expand_codes(const BlockScales& scales, float scale, const unsigned char* codes,
                           std::int64_t count, float* y) noexcept {
    alignas(64) float values[16];
    for (std::int64_t i = 0; i < 16; i += Vec::kLanes) {
      Vec value = mul(load(scales.codebook + i), set1(scale));
      if (scales.value_dtype == DType::kBf16) {
        value = round_to_bf16(value);
      } else if (scales.value_dtype == DType::kF16) {
        value = round_to_half(value);
      }
      store(values + i, value);
    }
    const Table16 table = load_table(values);
    std::int64_t i = 0;
    for (; Vec::kLanes > 1 && i + Vec::kLanes <= count; i += Vec::kLanes) {
      store(y + i, lookup(table, load_pairs(codes + i / 2)));
    }
    for (; i < count; i += 2) {  // counts are even
      y[i] = values[codes[i / 2] >> 4];
      y[i + 1] = values[codes[i / 2] & 15];
    }
  }
};

/// INT8: (code * absmax of the row) * (1 / 127).
struct Int8Format {
  static void expand(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                     float* y) noexcept {
    const float absmax = float_at(w.scales->absmax + 4 * row);
    const unsigned char* codes = w.data + row * w.row_bytes + k0;
    constexpr float kInverse = 7.874015718698502e-3F;  // the constant in bitsandbytes
    std::int64_t i = 0;
    for (; i + Vec::kLanes <= count; i += Vec::kLanes) {
      store(y + i, mul(mul(load_i8(codes + i), set1(absmax)), set1(kInverse)));
    }
    for (; i < count; ++i) {
      y[i] = static_cast<float>(static_cast<std::int8_t>(codes[i])) * absmax * kInverse;
    }
  }
};

}  // namespace
}  // namespace nolens
