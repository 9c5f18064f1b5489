// One row of a panel at a time, for any machine.
#pragma once

#include <cstdint>

namespace nolens {
namespace {

struct PanelLanes {
  static constexpr int kLanes = 1;
  static constexpr int kTokens = 2;
  static constexpr int kColumns = 4;
  static constexpr bool kSignedBytes = true;
  using Ints = std::int32_t;
  using Floats = float;
  using Bytes = unsigned char __attribute__((vector_size(16)));

  static Ints zero() noexcept { return 0; }
  static Ints set1(std::int32_t value) noexcept { return value; }
  static Ints load_codes(const unsigned char* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return four;
  }
  /// The first row's codes; those of the three rows beside it, or scales behind the last, are read too.
  static Ints to_codes(Bytes bytes) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, &bytes, 4);
    return four;
  }
  static Ints repeat4(const std::int8_t* p) noexcept {
    std::int32_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return four;
  }
  template <bool kSmallCodes>
  static Ints dot(Ints sum, Ints codes, Ints x) noexcept {
    std::int8_t w[4];
    std::int8_t xs[4];
    __builtin_memcpy(w, &codes, 4);
    __builtin_memcpy(xs, &x, 4);
    return sum + w[0] * xs[0] + w[1] * xs[1] + w[2] * xs[2] + w[3] * xs[3];
  }
  static Ints add(Ints a, Ints b) noexcept { return a + b; }
  template <int kBits>
  static Ints shift_left(Ints a) noexcept {
    return a * (1 << kBits);
  }
  /// -kFactor * a; kFactor is a power of two.
  template <std::int32_t kFactor>
  static Ints minus_multiple(Ints a) noexcept { return -kFactor * a; }
  static Floats zero_floats() noexcept { return 0.0F; }
  static Floats set1_float(float value) noexcept { return value; }
  static Floats to_floats(Ints a) noexcept { return static_cast<float>(a); }
  static Floats load(const float* p) noexcept { return *p; }
  static void store(float* p, Floats a) noexcept { *p = a; }
  static Floats multiply(Floats a, Floats b) noexcept { return a * b; }
  static Floats fma(Floats a, Floats b, Floats c) noexcept { return a * b + c; }

  static Bytes load_table(const unsigned char (&table)[16]) noexcept {
    Bytes bytes;
    __builtin_memcpy(&bytes, table, 16);
    return bytes;
  }
  static Bytes lookup(Bytes table, Bytes index) noexcept {
    Bytes result;
    for (int i = 0; i < 16; ++i) {
      result[i] = table[index[i] & 15];
    }
    return result;
  }
};

}  // namespace
}  // namespace nolens
