// Blocks of GGUF files as floats. Each struct expands one block; the positions and the order of the
// float operations are those of the format's definition, so that every value has its exact bits.
// A new format is one more struct: kValues, kBytes, expand(block, y).
#pragma once

namespace nolens {
namespace {

/// 4-bit codes of two runs of 16 values: the low halves of 16 bytes are the first run.
///   value(code, first index of the run) -> Vec
template <typename Value>
inline void expand_halves(const unsigned char* codes, float* y, const Value& value) noexcept {
  for (std::int64_t i = 0; i < 16; i += Vec::kLanes) {
    const Ints both = load_u8(codes + i);
    store(y + i, value(bit_and(both, 15), i));
    store(y + 16 + i, value(shift_right<4>(both), 16 + i));
  }
}

/// f16 d; 16 bytes of codes.   d * (code - 8)
struct Q4_0Block {
  static constexpr std::int64_t kValues = 32;
  static constexpr std::int64_t kBytes = 18;
  static void expand(const unsigned char* block, float* y) noexcept {
    const Vec d = set1(half_at(block));
    expand_halves(block + 2, y, [d](Ints code, std::int64_t) noexcept {
      return mul(d, to_floats(add(code, -8)));
    });
  }
};

/// f16 d, m; 16 bytes of codes.   d * code + m
struct Q4_1Block {
  static constexpr std::int64_t kValues = 32;
  static constexpr std::int64_t kBytes = 20;
  static void expand(const unsigned char* block, float* y) noexcept {
    const Vec d = set1(half_at(block));
    const Vec m = set1(half_at(block + 2));
    expand_halves(block + 4, y, [d, m](Ints code, std::int64_t) noexcept {
      return add(mul(d, to_floats(code)), m);
    });
  }
};

/// Adds to 4-bit codes of a run that begins at value i their fifth bits, bit i of `high` and on.
inline Ints with_fifth_bit(Ints code, std::uint32_t high, std::int64_t i) noexcept {
  return bit_or(code, shift_left<4>(lane_bits(high >> static_cast<unsigned>(i))));
}

inline std::uint32_t load_u32(const unsigned char* p) noexcept {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, p, 4);
  return bits;
}

/// f16 d; u32 fifth bits; 16 bytes of codes.   d * (code - 16)
struct Q5_0Block {
  static constexpr std::int64_t kValues = 32;
  static constexpr std::int64_t kBytes = 22;
  static void expand(const unsigned char* block, float* y) noexcept {
    const Vec d = set1(half_at(block));
    const std::uint32_t high = load_u32(block + 2);
    expand_halves(block + 6, y, [d, high](Ints code, std::int64_t i) noexcept {
      return mul(d, to_floats(add(with_fifth_bit(code, high, i), -16)));
    });
  }
};

/// f16 d, m; u32 fifth bits; 16 bytes of codes.   d * code + m
struct Q5_1Block {
  static constexpr std::int64_t kValues = 32;
  static constexpr std::int64_t kBytes = 24;
  static void expand(const unsigned char* block, float* y) noexcept {
    const Vec d = set1(half_at(block));
    const Vec m = set1(half_at(block + 2));
    const std::uint32_t high = load_u32(block + 4);
    expand_halves(block + 8, y, [d, m, high](Ints code, std::int64_t i) noexcept {
      return add(mul(d, to_floats(with_fifth_bit(code, high, i))), m);
    });
  }
};

alignas(64) constexpr float kIq4Codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                1,    13,   25,  38,  53,  69,  89,  113};

/// f16 d; 16 bytes of codes.   d * codebook[code]
struct IQ4_NLBlock {
  static constexpr std::int64_t kValues = 32;
  static constexpr std::int64_t kBytes = 18;
  static void expand(const unsigned char* block, float* y) noexcept {
    const Vec d = set1(half_at(block));
    const Table16 codebook = load_table(kIq4Codebook);
    expand_halves(block + 2, y, [d, codebook](Ints code, std::int64_t) noexcept {
      return mul(d, lookup(codebook, code));
    });
  }
};

/// Scale and offset of a run of 32 values: d * code - m.
struct ScaleAndMin {
  float d;
  float m;
};

/// Q4_K and Q5_K begin with f16 d, dmin and eight pairs of 6-bit numbers in 12 bytes: the low six
/// bits of bytes 0 to 3 and 4 to 7 are scales and minima 0 to 3; bytes 8 to 11 hold the low four
/// bits of scales and minima 4 to 7, whose upper two are the upper two of bytes 0 to 3 and 4 to 7.
inline ScaleAndMin scale_and_min(const unsigned char* block, int run) noexcept {
  const unsigned char* q = block + 4;
  const int low = run & 3;
  int scale = q[low] & 63;
  int minimum = q[low + 4] & 63;
  if (run >= 4) {
    scale = (q[low + 8] & 15) | ((q[low] >> 6) << 4);
    minimum = (q[low + 8] >> 4) | ((q[low + 4] >> 6) << 4);
  }
  return {half_at(block) * static_cast<float>(scale),
          half_at(block + 2) * static_cast<float>(minimum)};
}

/// f16 d, dmin; 12 bytes of scales; 128 bytes of codes: bytes 32g and on hold runs 2g and 2g + 1.
struct Q4_KBlock {
  static constexpr std::int64_t kValues = 256;
  static constexpr std::int64_t kBytes = 144;
  static void expand(const unsigned char* block, float* y) noexcept {
    for (int g = 0; g < 4; ++g) {
      const ScaleAndMin low = scale_and_min(block, 2 * g);
      const ScaleAndMin high = scale_and_min(block, 2 * g + 1);
      const unsigned char* codes = block + 16 + 32 * g;
      float* out = y + 64 * g;
      for (std::int64_t i = 0; i < 32; i += Vec::kLanes) {
        const Ints both = load_u8(codes + i);
        const Vec first = to_floats(bit_and(both, 15));
        const Vec second = to_floats(shift_right<4>(both));
        store(out + i, sub(mul(set1(low.d), first), set1(low.m)));
        store(out + 32 + i, sub(mul(set1(high.d), second), set1(high.m)));
      }
    }
  }
};

/// As Q4_K, with 32 bytes of fifth bits before the codes: bit r of byte l belongs to value l of run
/// r.
struct Q5_KBlock {
  static constexpr std::int64_t kValues = 256;
  static constexpr std::int64_t kBytes = 176;
  static void expand(const unsigned char* block, float* y) noexcept {
    expand_group<0>(block, y);
    expand_group<1>(block, y);
    expand_group<2>(block, y);
    expand_group<3>(block, y);
  }

 private:
  template <int kGroup>
  static void expand_group(const unsigned char* block, float* y) noexcept {
    const ScaleAndMin low = scale_and_min(block, 2 * kGroup);
    const ScaleAndMin high = scale_and_min(block, 2 * kGroup + 1);
    const unsigned char* codes = block + 48 + 32 * kGroup;
    float* out = y + 64 * kGroup;
    for (std::int64_t i = 0; i < 32; i += Vec::kLanes) {
      const Ints both = load_u8(codes + i);
      const Ints fifth = shift_right<2 * kGroup>(load_u8(block + 16 + i));
      const Vec first = to_floats(bit_or(bit_and(both, 15), shift_left<4>(bit_and(fifth, 1))));
      const Vec second = to_floats(bit_or(shift_right<4>(both), shift_left<3>(bit_and(fifth, 2))));
      store(out + i, sub(mul(set1(low.d), first), set1(low.m)));
      store(out + 32 + i, sub(mul(set1(high.d), second), set1(high.m)));
    }
  }
};

/// 128 bytes of low halves, 64 bytes of upper two bits, 16 int8 scales, f16 d.   d * scale * (code
/// - 32) Each half of the block is four runs of 32 values: low halves of 64 bytes, then their high
/// halves; bits 2r and 2r + 1 of 32 bytes belong to run r; a scale covers 16 values.
struct Q6_KBlock {
  static constexpr std::int64_t kValues = 256;
  static constexpr std::int64_t kBytes = 210;
  static void expand(const unsigned char* block, float* y) noexcept {
    const float d = half_at(block + 208);
    for (int half = 0; half < 2; ++half) {
      const unsigned char* low = block + 64 * half;
      const unsigned char* high = block + 128 + 32 * half;
      const unsigned char* scale = block + 192 + 8 * half;
      for (std::int64_t i = 0; i < 32; i += Vec::kLanes, y += Vec::kLanes) {
        const Ints first = load_u8(low + i);
        const Ints second = load_u8(low + 32 + i);
        const Ints upper = load_u8(high + i);
        const unsigned char* scales = scale + i / 16;
        store(y, value(d, scales, bit_and(first, 15), shift_left<4>(upper)));
        store(y + 32, value(d, scales + 2, bit_and(second, 15), shift_left<2>(upper)));
        store(y + 64, value(d, scales + 4, shift_right<4>(first), upper));
        store(y + 96, value(d, scales + 6, shift_right<4>(second), shift_right<2>(upper)));
      }
      y += 96;
    }
  }

 private:
  static Vec value(float d, const unsigned char* scale, Ints low, Ints upper) noexcept {
    const float factor = d * static_cast<float>(static_cast<std::int8_t>(*scale));
    return mul(set1(factor), to_floats(add(bit_or(low, bit_and(upper, 48)), -32)));
  }
};

/// A row format (formats.inl) made of blocks.
template <class Block>
struct BlockFormat {
  static void expand(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                     float* y) noexcept {
    const unsigned char* block = w.data + row * w.row_bytes + k0 / Block::kValues * Block::kBytes;
    for (std::int64_t i = 0; i < count; i += Block::kValues, block += Block::kBytes) {
      Block::expand(block, y + i);
    }
  }
};

}  // namespace
}  // namespace nolens
