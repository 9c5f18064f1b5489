// linear.inl with bfloat16 on both sides: vdpbf16ps adds two products to each of 16 lanes.
#pragma once

#include "kernels/cpu/generic/linear.inl"
#include "kernels/cpu/generic/quantize_int8.inl"

namespace nolens {
namespace {

void round_bf16(const float* x, std::int64_t n, std::uint16_t* y) noexcept {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = bits_of(x[i]);
    const bool is_nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U;
    const std::uint32_t nearest = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
    const std::uint32_t quiet = (bits >> 16U) | 0x40U;
    y[i] = static_cast<std::uint16_t>(is_nan ? quiet : nearest);
  }
}

struct Bf16Vec {
  __m512i v;
};

/// A Dot of linear.inl. Lane l of the accumulator adds the pairs k = 2l, 2l + 1, then 32 further
/// on.
struct Bf16Dot {
  using X = std::uint16_t;
  using XVec = Bf16Vec;
  using WVec = Bf16Vec;
  using PanelElement = std::uint16_t;
  using Panel = Bf16Dot;
  static constexpr std::int64_t kStep = 32;
  static constexpr std::int64_t kSumBlock = kSumBlockBytes / 2;

  static __mmask32 first(std::int64_t n) noexcept {
    return static_cast<__mmask32>((std::uint64_t{1} << static_cast<unsigned>(n)) - 1U);
  }
  static XVec load_x(const X* x) noexcept { return {_mm512_loadu_si512(x)}; }
  static XVec load_x_partial(const X* x, std::int64_t n) noexcept {
    return {_mm512_maskz_loadu_epi16(first(n), x)};
  }
  static WVec load_w(const unsigned char* row, std::int64_t k) noexcept {
    return {_mm512_loadu_si512(row + 2 * k)};
  }
  static WVec load_w_partial(const unsigned char* row, std::int64_t k, std::int64_t n) noexcept {
    return {_mm512_maskz_loadu_epi16(first(n), row + 2 * k)};
  }
  static Vec multiply_add(Vec sum, XVec x, WVec w) noexcept {
    return {
        _mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(x.v), reinterpret_cast<__m512bh>(w.v))};
  }
  static void fill_panel(const WeightRows& w, std::int64_t n, std::int64_t k0, std::int64_t count,
                         std::uint16_t* panel) noexcept {
    const unsigned char* row = w.data + n * w.row_bytes;
    std::int64_t k = 0;
    for (; k + kStep <= count; k += kStep) {
      _mm512_storeu_si512(panel + k, load_w(row, k0 + k).v);
    }
    if (k < count) {
      _mm512_storeu_si512(panel + k, load_w_partial(row, k0 + k, count - k).v);
    }
  }
};

}  // namespace
}  // namespace nolens
