// Writes heads of keys and values into the cache (kv_layout.h), in plain loops that the compiler
// turns into vectors; the bits are the same for every instruction set.
#pragma once

#include "kernels/cpu/generic/quantize_int8.inl"

namespace nolens {
namespace {

constexpr std::int64_t kTileSlots = 64;
constexpr std::int64_t kLargestHead = 1024;  // kMaxHeadDim
constexpr std::int64_t kDimsPerScale = 64;   // kScaleGroup

inline std::int64_t padded_dims(std::int64_t head_dim) noexcept {
  return (head_dim + 15) / 16 * 16;
}

/// x times the Hadamard matrix: each run of `size` values, a power of two from 16 that divides n.
inline void rotate(float* x, std::int64_t n, std::int64_t size) noexcept {
  for (float* block = x; block < x + n; block += 16) {
#pragma GCC unroll 4
    for (int h = 1; h < 16; h *= 2) {
      float y[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        y[i] = (i & h) == 0 ? block[i] + block[i + h] : block[i - h] - block[i];
      }
      __builtin_memcpy(block, y, sizeof(y));
    }
  }
  for (std::int64_t h = 16; h < size; h *= 2) {
    for (std::int64_t i = 0; i < n; i += 2 * h) {
      float* low = x + i;
      float* high = low + h;
      for (std::int64_t j = 0; j < h; j += 16) {
        for (std::int64_t l = j; l < j + 16; ++l) {
          const float sum = low[l] + high[l];
          high[l] = low[l] - high[l];
          low[l] = sum;
        }
      }
    }
  }
}

inline std::int64_t rotation_of(std::int64_t padded) noexcept {
  return padded & -padded;
}

/// q = x / scale to nearest, scale = max |x| / 127; NaN or infinity among x make the scale NaN.
inline float round_to_int8(const float* x, std::int64_t n, std::int8_t* q) noexcept {
  constexpr float kRounder = 12'582'912.0F;  // 1.5 * 2^23: sums with it have no fraction bits
  std::uint32_t peak_bits = 0;  // magnitudes order as their bits do, NaN above infinity
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = bits_of(x[i]) & 0x7FFF'FFFFU;
    peak_bits = bits > peak_bits ? bits : peak_bits;
  }
  if (peak_bits >= 0x7F80'0000U || peak_bits < bits_of(0x1p-100F)) {
    for (std::int64_t i = 0; i < n; ++i) {
      q[i] = 0;
    }
    return peak_bits >= 0x7F80'0000U ? __builtin_nanf("") : 0.0F;
  }
  float peak = 0.0F;
  __builtin_memcpy(&peak, &peak_bits, 4);
  const float inverse = 127.0F / peak;
  for (std::int64_t i = 0; i < n; ++i) {
    q[i] = static_cast<std::int8_t>(bits_of(x[i] * inverse + kRounder) - bits_of(kRounder));
  }
  return peak / 127.0F;
}

inline std::uint16_t nearest_bf16(float x) noexcept {
  const std::uint32_t bits = bits_of(x);
  const bool is_nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U;
  const std::uint32_t nearest = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  const std::uint32_t quiet = (bits >> 16U) | 0x40U;
  return static_cast<std::uint16_t>(is_nan ? quiet : nearest);
}

/// A head and its padding, which is zero.
template <typename T>
struct HeadBuffer {
  alignas(64) T values[kLargestHead];
};

inline std::int64_t pad_head(const float* x, std::int64_t head_dim,
                             HeadBuffer<float>& to) noexcept {
  const std::int64_t s = padded_dims(head_dim);
  for (std::int64_t d = 0; d < s; ++d) {
    to.values[d] = d < head_dim ? x[d] : 0.0F;
  }
  return s;
}

/// Elements of a head, ready to be put in their places.
inline std::int64_t convert_head(const float* x, std::int64_t head_dim,
                                 HeadBuffer<float>& to) noexcept {
  return pad_head(x, head_dim, to);
}

inline std::int64_t convert_head(const float* x, std::int64_t head_dim,
                                 HeadBuffer<std::uint16_t>& to) noexcept {
  HeadBuffer<float> padded;
  const std::int64_t s = pad_head(x, head_dim, padded);
  for (std::int64_t d = 0; d < s; ++d) {
    to.values[d] = nearest_bf16(padded.values[d]);
  }
  return s;
}

struct Half {
  std::uint16_t bits;
};
inline std::int64_t convert_head(const float* x, std::int64_t head_dim,
                                 HeadBuffer<Half>& to) noexcept {
  HeadBuffer<float> padded;
  const std::int64_t s = pad_head(x, head_dim, padded);
  to_f16_values(padded.values, s, &to.values[0].bits);
  return s;
}

/// kUnit elements of T lie side by side.
template <typename T, int kUnit>
void store_key(const float* x, std::int64_t head_dim, std::int64_t slot,
               unsigned char* tile) noexcept {
  HeadBuffer<T> head;
  const std::int64_t s = convert_head(x, head_dim, head);
  constexpr std::size_t kBytes = kUnit * sizeof(T);
  for (std::int64_t d = 0; d < s; d += kUnit) {
    __builtin_memcpy(tile + (d / kUnit * kTileSlots + slot) * static_cast<std::int64_t>(kBytes),
                     head.values + d, kBytes);
  }
}

template <typename T, int kUnit>
void store_value(const float* x, std::int64_t head_dim, std::int64_t slot,
                 unsigned char* tile) noexcept {
  HeadBuffer<T> head;
  const std::int64_t s = convert_head(x, head_dim, head);
  unsigned char* row =
      tile + (slot / kUnit * s * kUnit + slot % kUnit) * static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t d = 0; d < s; ++d) {
    __builtin_memcpy(row + d * kUnit * static_cast<std::int64_t>(sizeof(T)), head.values + d,
                     sizeof(T));
  }
}

/// Keys are stored plus 128: vpdpbusd wants one factor without sign.
void store_key_int8(const float* x, std::int64_t head_dim, std::int64_t slot,
                    unsigned char* tile) noexcept {
  HeadBuffer<float> head;
  const std::int64_t s = pad_head(x, head_dim, head);
  rotate(head.values, s, rotation_of(s));
  unsigned char* scales = tile + s * kTileSlots + slot * 4;
  for (std::int64_t d = 0; d < s; d += kDimsPerScale, scales += kTileSlots * 4) {
    const std::int64_t count = s - d < kDimsPerScale ? s - d : kDimsPerScale;
    std::int8_t q[kDimsPerScale];
    const float scale = round_to_int8(head.values + d, count, q);
    __builtin_memcpy(scales, &scale, 4);
    for (std::int64_t i = 0; i < count; ++i) {
      tile[((d + i) / 4 * kTileSlots + slot) * 4 + i % 4] = static_cast<unsigned char>(q[i] + 128);
    }
  }
}

void store_value_int8(const float* x, std::int64_t head_dim, std::int64_t slot,
                      unsigned char* tile) noexcept {
  HeadBuffer<float> head;
  const std::int64_t s = pad_head(x, head_dim, head);
  rotate(head.values, s, rotation_of(s));
  HeadBuffer<std::int8_t> q;
  const float scale = round_to_int8(head.values, s, q.values);
  __builtin_memcpy(tile + s * kTileSlots + slot * 4, &scale, 4);
  unsigned char* row = tile + slot / 4 * s * 4 + slot % 4;
  for (std::int64_t d = 0; d < s; ++d) {
    row[d * 4] = static_cast<unsigned char>(q.values[d]);
  }
}

}  // namespace
}  // namespace nolens
