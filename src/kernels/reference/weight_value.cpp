// Written by value, unlike the kernels, which are written by block: a slip in one shows in the
// other.
#include "kernels/reference/weight_value.h"

#include <array>
#include <cstring>

#include "core/float16.h"

namespace nolens {
namespace {

template <typename T>
T read(const unsigned char* bytes, std::int64_t index = 0) noexcept {
  T value;
  std::memcpy(&value, bytes + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float half(const unsigned char* bytes) noexcept {
  return to_float(F16{read<std::uint16_t>(bytes)});
}

/// Code j of 32 in 16 bytes: low halves first.
int nibble(const unsigned char* codes, int j) noexcept {
  return j < 16 ? codes[j] & 15 : codes[j - 16] >> 4;
}

int fifth_bit(const unsigned char* bits, int j) noexcept {
  return static_cast<int>((read<std::uint32_t>(bits) >> static_cast<unsigned>(j)) & 1U) * 16;
}

constexpr std::array<float, 16> kIq4Codebook = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                1,    13,   25,  38,  53,  69,  89,  113};

/// Scale (part 0) or minimum (part 1) of run s of Q4_K and Q5_K.
int six_bits(const unsigned char* q, int s, int part) noexcept {
  if (s < 4) {
    return q[s + 4 * part] & 63;
  }
  const int low = part == 0 ? q[s + 4] & 15 : q[s + 4] >> 4;
  return low | (q[s - 4 + 4 * part] >> 6) << 4;
}

/// Value j of a block of Q4_K or Q5_K with this code.
float k_value(const unsigned char* b, int j, int code) noexcept {
  const float scale = half(b) * static_cast<float>(six_bits(b + 4, j / 32, 0));
  const float minimum = half(b + 2) * static_cast<float>(six_bits(b + 4, j / 32, 1));
  return scale * static_cast<float>(code) - minimum;
}

int k_nibble(const unsigned char* codes, int j) noexcept {
  const int byte = codes[j / 64 * 32 + j % 32];
  return j / 32 % 2 == 0 ? byte & 15 : byte >> 4;
}

float q6_value(const unsigned char* b, int j) noexcept {
  const int part = j / 128;
  const int run = j % 128 / 32;
  const int l = j % 32;
  const int low_byte = b[64 * part + l + 32 * (run % 2)];
  const int low = run < 2 ? low_byte & 15 : low_byte >> 4;
  const int high = (b[128 + 32 * part + l] >> (2 * run)) & 3;
  const auto scale = static_cast<std::int8_t>(b[192 + j / 16]);
  return half(b + 208) * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
}

/// Value j of the block at b.
float block_value(DType dtype, const unsigned char* b, int j) noexcept {
  switch (dtype) {
    case DType::kQ8_0: return half(b) * static_cast<float>(read<std::int8_t>(b + 2 + j));
    case DType::kQ4_0: return half(b) * static_cast<float>(nibble(b + 2, j) - 8);
    case DType::kQ4_1: return half(b) * static_cast<float>(nibble(b + 4, j)) + half(b + 2);
    case DType::kQ5_0:
      return half(b) * static_cast<float>(nibble(b + 6, j) + fifth_bit(b + 2, j) - 16);
    case DType::kQ5_1:
      return half(b) * static_cast<float>(nibble(b + 8, j) + fifth_bit(b + 4, j)) + half(b + 2);
    case DType::kQ4_K: return k_value(b, j, k_nibble(b + 16, j));
    case DType::kQ5_K:
      return k_value(b, j, k_nibble(b + 48, j) + ((b[16 + j % 32] >> (j / 32)) & 1) * 16);
    case DType::kQ6_K: return q6_value(b, j);
    case DType::kIQ4_NL: return half(b) * kIq4Codebook[static_cast<std::size_t>(nibble(b + 2, j))];
    default: return 0.0F;
  }
}

float code_value(const WeightScales& s, const unsigned char* data, std::int64_t index) noexcept {
  const std::int64_t block = index / s.block_size;
  float scale = 0.0F;
  if (s.nested) {
    scale = s.nested_codebook[s.absmax[block]] *
            read<float>(s.nested_absmax, block / s.nested_block_size);
    scale += s.nested_offset;
  } else {
    scale = read<float>(s.absmax, block);
  }
  const int byte = data[index / 2];
  const float value =
      s.codebook[static_cast<std::size_t>(index % 2 == 0 ? byte >> 4 : byte & 15)] * scale;
  switch (s.value_dtype) {
    case DType::kBf16: return to_float(to_bf16(value));
    case DType::kF16: return to_float(to_f16(value));
    default: return value;
  }
}

}  // namespace

float weight_value(const WeightMatrix& w, std::int64_t row, std::int64_t col) noexcept {
  const auto* data = reinterpret_cast<const unsigned char*>(w.data);
  const std::int64_t index = row * w.cols + col;
  switch (w.dtype) {
    case DType::kF32: return read<float>(data, index);
    case DType::kF16: return to_float(read<F16>(data, index));
    case DType::kBf16: return to_float(read<Bf16>(data, index));
    case DType::kNf4:
    case DType::kFp4: return code_value(*w.scales, data, index);
    case DType::kInt8: {
      const float scaled =
          static_cast<float>(read<std::int8_t>(data, index)) * read<float>(w.scales->absmax, row);
      return scaled * 7.874015718698502e-3F;
    }
    default: {
      const std::int64_t values = block_size(w.dtype);
      return block_value(w.dtype, data + index / values * traits(w.dtype).bytes,
                         static_cast<int>(index % values));
    }
  }
}

}  // namespace nolens
