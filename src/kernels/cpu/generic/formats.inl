// How a weight row of each format becomes float vectors. A new format is one more struct here:
//   load(row, k)       lanes k … k + W - 1; k is a multiple of W
//   load_partial(row, k, n)   the first n of them, the others 0
// Every conversion is exact: a float has room for the product of a half and an int8.
#pragma once

namespace nolens {
namespace {

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
void expand_row(const unsigned char* w, std::int64_t n, float scale, float* y) noexcept {
  const Vec scales = set1(scale);
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= n; i += Vec::kLanes) {
    store(y + i, mul(Format::load(w, i), scales));
  }
  if (i < n) {
    store_partial(y + i, mul(Format::load_partial(w, i, n - i), scales), n - i);
  }
}

}  // namespace
}  // namespace nolens
