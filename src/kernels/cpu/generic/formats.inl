// How a weight row becomes floats. Every format has
//   expand(w, row, k0, count, y)   y[i] = value k0 + i of a row; k0 and count are whole storage
//   units
// and those that products read in place also
//   load(row, k)       lanes k … k + W - 1; k is a multiple of W
//   load_partial(row, k, n)   the first n of them, the others 0
// The conversions here are exact: a float has room for the product of a half and an int8.
#pragma once

#include "kernels/cpu/generic/elementwise.inl"

namespace nolens {
namespace {

/// A row format from load() and load_partial() of another.
template <class Loads>
struct LoadedFormat : Loads {
  static void expand(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                     float* y) noexcept {
    const unsigned char* data = w.data + row * w.row_bytes;
    std::int64_t i = 0;
    for (; i + Vec::kLanes <= count; i += Vec::kLanes) {
      store(y + i, Loads::load(data, k0 + i));
    }
    if (i < count) {
      store_partial(y + i, Loads::load_partial(data, k0 + i, count - i), count - i);
    }
  }
};

struct F32Format {
  static Vec load(const unsigned char* row, std::int64_t k) noexcept {
    return load_f32(row + 4 * k);
  }
  static Vec load_partial(const unsigned char* row, std::int64_t k, std::int64_t n) noexcept {
    return load_f32_partial(row + 4 * k, n);
  }
};

struct F16Format {
  static Vec load(const unsigned char* row, std::int64_t k) noexcept {
    return load_f16(row + 2 * k);
  }
  static Vec load_partial(const unsigned char* row, std::int64_t k, std::int64_t n) noexcept {
    return load_f16_partial(row + 2 * k, n);
  }
};

struct Bf16Format {
  static Vec load(const unsigned char* row, std::int64_t k) noexcept {
    return load_bf16(row + 2 * k);
  }
  static Vec load_partial(const unsigned char* row, std::int64_t k, std::int64_t n) noexcept {
    return load_bf16_partial(row + 2 * k, n);
  }
};

/// Blocks of a half-precision scale and 32 int8, 34 bytes.
struct Q8Format {
  static Vec load(const unsigned char* row, std::int64_t k) noexcept {
    const unsigned char* block = row + k / 32 * 34;
    return mul(set1(half_at(block)), load_i8(block + 2 + k % 32));
  }
  // Rows are whole blocks and every W divides 32.
  static Vec load_partial(const unsigned char*, std::int64_t, std::int64_t) noexcept {
    return zero();
  }
};

template <class Format>
void expand_row(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                float scale, float* y) noexcept {
  Format::expand(w, row, k0, count, y);
  if (scale != 1.0F) {
    scale_values(scale, count, y);
  }
}

}  // namespace
}  // namespace nolens
