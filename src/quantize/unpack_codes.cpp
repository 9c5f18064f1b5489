// Plain loops of fixed length, which compilers turn into vectors.
#include "quantize/unpack_codes.h"

#include <cstring>

namespace nolens {
namespace {

using Byte = std::uint8_t;

std::uint16_t read_half(const Byte* bytes) noexcept {
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof(bits));
  return bits;
}

/// Entry b has bit j of b as bit 4 of byte j.
constexpr std::array<std::uint64_t, 256> kFifthBits = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::uint64_t bits = 0; bits < 256; ++bits) {
    for (std::uint64_t j = 0; j < 8; ++j) {
      table[bits] |= ((bits >> j) & 1U) << (8 * j + 4);
    }
  }
  return table;
}();

/// 32 codes in 16 bytes, low halves first.
void split_halves(const Byte* q, Byte* codes) noexcept {
  for (int j = 0; j < 16; ++j) {
    codes[j] = q[j] & 15U;
    codes[16 + j] = static_cast<Byte>(q[j] >> 4U);
  }
}

void add_fifth_bits(const Byte* bits, Byte* codes) noexcept {
  for (int i = 0; i < 4; ++i) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, codes + 8 * i, sizeof(eight));
    eight |= kFifthBits[bits[i]];
    std::memcpy(codes + 8 * i, &eight, sizeof(eight));
  }
}

/// A block of 32 of the formats with a half a block. Offsets in bytes; -1 = the format has no such
/// part.
template <int kMinimum, int kHigh, int kCodes, int kBytes>
void unpack_halves(const Byte* block, std::int64_t blocks, RowGroup& group) noexcept {
  for (std::int64_t b = 0; b < blocks; ++b, block += kBytes) {
    const auto index = static_cast<std::size_t>(b);
    Byte* codes = group.codes.data() + 32 * b;
    group.half_scales[index] = read_half(block);
    if constexpr (kMinimum >= 0) {
      group.half_minimums[index] = read_half(block + kMinimum);
    }
    split_halves(block + kCodes, codes);
    if constexpr (kHigh >= 0) {
      add_fifth_bits(block + kHigh, codes);
    }
  }
}

void unpack_q8_0(const Byte* block, std::int64_t blocks, RowGroup& group) noexcept {
  for (std::int64_t b = 0; b < blocks; ++b, block += 34) {
    group.half_scales[static_cast<std::size_t>(b)] = read_half(block);
    Byte* codes = group.codes.data() + 32 * b;
    for (int j = 0; j < 32; ++j) {
      codes[j] = block[2 + j] ^ 0x80U;
    }
  }
}

/// 12 bytes of 6-bit scales and minimums of eight runs.
void unpack_six_bits(const Byte* q, RowGroup& group) noexcept {
  for (std::size_t s = 0; s < 4; ++s) {
    group.byte_scales[s] = q[s] & 63U;
    group.byte_minimums[s] = q[s + 4] & 63U;
    group.byte_scales[s + 4] = static_cast<Byte>((q[s + 8] & 15U) | (q[s] >> 6U) << 4U);
    group.byte_minimums[s + 4] = static_cast<Byte>((q[s + 8] >> 4U) | (q[s + 4] >> 6U) << 4U);
  }
}

/// Q4_K, and Q5_K whose fifth bits are at `high`.
void unpack_k(const Byte* block, const Byte* high, const Byte* q, RowGroup& group) noexcept {
  group.super_scale = read_half(block);
  group.super_minimum = read_half(block + 2);
  unpack_six_bits(block + 4, group);
  for (unsigned i = 0; i < 4; ++i) {
    Byte* codes = group.codes.data() + 64 * i;
    for (unsigned l = 0; l < 32; ++l) {
      codes[l] = q[32 * i + l] & 15U;
      codes[32 + l] = static_cast<Byte>(q[32 * i + l] >> 4U);
    }
    for (unsigned l = 0; high != nullptr && l < 32; ++l) {
      const unsigned bits = static_cast<unsigned>(high[l]) >> (2 * i);
      codes[l] = static_cast<Byte>(codes[l] | (bits & 1U) << 4U);
      codes[32 + l] = static_cast<Byte>(codes[32 + l] | (bits & 2U) << 3U);
    }
  }
}

void unpack_q6_k(const Byte* block, RowGroup& group) noexcept {
  for (int part = 0; part < 2; ++part) {
    const Byte* low = block + 64 * part;
    const Byte* high = block + 128 + 32 * part;
    Byte* codes = group.codes.data() + 128 * part;
    for (int l = 0; l < 32; ++l) {
      const unsigned bits = high[l];
      codes[l] = static_cast<Byte>((low[l] & 15U) | (bits & 3U) << 4U);
      codes[32 + l] = static_cast<Byte>((low[32 + l] & 15U) | (bits & 12U) << 2U);
      codes[64 + l] = static_cast<Byte>((low[l] >> 4U) | (bits & 48U));
      codes[96 + l] = static_cast<Byte>((low[32 + l] >> 4U) | (bits & 192U) >> 2U);
    }
  }
  std::memcpy(group.byte_scales.data(), block + 192, 16);
  group.super_scale = read_half(block + 208);
}

/// NF4 and FP4: high halves first.
void unpack_pairs(const Byte* bytes, std::int64_t columns, Byte* codes) noexcept {
  for (std::int64_t j = 0; j < columns / 2; ++j) {
    codes[2 * j] = static_cast<Byte>(bytes[j] >> 4U);
    codes[2 * j + 1] = bytes[j] & 15U;
  }
}

}  // namespace

void unpack_codes(const WeightMatrix& w, std::int64_t row, std::int64_t begin, std::int64_t columns,
                  RowGroup& group) noexcept {
  const auto* data =
      reinterpret_cast<const Byte*>(w.data) + row * w.bytes_per_row() + row_bytes(w.dtype, begin);
  const std::int64_t blocks = columns / 32;
  switch (w.dtype) {
    case DType::kQ8_0: return unpack_q8_0(data, blocks, group);
    case DType::kQ4_0:
    case DType::kIQ4_NL: return unpack_halves<-1, -1, 2, 18>(data, blocks, group);
    case DType::kQ4_1: return unpack_halves<2, -1, 4, 20>(data, blocks, group);
    case DType::kQ5_0: return unpack_halves<-1, 2, 6, 22>(data, blocks, group);
    case DType::kQ5_1: return unpack_halves<2, 4, 8, 24>(data, blocks, group);
    case DType::kQ4_K: return unpack_k(data, nullptr, data + 16, group);
    case DType::kQ5_K: return unpack_k(data, data + 16, data + 48, group);
    case DType::kQ6_K: return unpack_q6_k(data, group);
    default: return unpack_pairs(data, columns, group.codes.data());
  }
}

}  // namespace nolens
