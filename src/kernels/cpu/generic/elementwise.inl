// Functions of single values: y[i] = f(x[i], …).
#pragma once

#include "kernels/cpu/generic/math.inl"

namespace nolens {
namespace {

// The last vector may be partial; a map may write over its input.
template <class Function>
inline void map1(const float* x, std::int64_t n, float* y, Function f) noexcept {
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= n; i += Vec::kLanes) {
    store(y + i, f(load(x + i)));
  }
  if (i < n) {
    store_partial(y + i, f(load_partial(x + i, n - i)), n - i);
  }
}

template <class Function>
inline void map2(const float* a, const float* b, std::int64_t n, float* y, Function f) noexcept {
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= n; i += Vec::kLanes) {
    store(y + i, f(load(a + i), load(b + i)));
  }
  if (i < n) {
    store_partial(y + i, f(load_partial(a + i, n - i), load_partial(b + i, n - i)), n - i);
  }
}

void exp_values(const float* x, std::int64_t n, float* y) noexcept {
  map1(x, n, y, [](Vec v) { return exp(v); });
}

void gelu_gate(const float* gate, const float* up, std::int64_t n, float* y) noexcept {
  map2(gate, up, n, y, [](Vec g, Vec u) { return mul(gelu_tanh(g), u); });
}

void silu_gate(const float* gate, const float* up, std::int64_t n, float* y) noexcept {
  map2(gate, up, n, y, [](Vec g, Vec u) { return mul(silu(g), u); });
}

void add_values(const float* x, std::int64_t n, float* y) noexcept {
  map2(x, y, n, y, [](Vec a, Vec b) { return add(a, b); });
}

void scale_values(float factor, std::int64_t n, float* x) noexcept {
  const Vec factors = set1(factor);
  map1(x, n, x, [factors](Vec v) { return mul(v, factors); });
}

void softcap_values(float cap, std::int64_t n, float* x) noexcept {
  const Vec caps = set1(cap);
  map1(x, n, x, [caps](Vec v) { return mul(caps, tanh(div(v, caps))); });
}

/// Plain loops, which compilers vectorise.
void pixel_values(const std::uint8_t* x, float factor, float divisor, std::int64_t n,
                  float* y) noexcept {
  if (divisor != 0.0F) {
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = static_cast<float>(x[i]) / divisor;
    }
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>(x[i]) * factor;
  }
}

void to_f16_values(const float* x, std::int64_t n, std::uint16_t* y) noexcept {
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= n; i += Vec::kLanes) {
    store_f16(y + i, load(x + i));
  }
  if (i < n) {
    store_f16_partial(y + i, load_partial(x + i, n - i), n - i);
  }
}

}  // namespace
}  // namespace nolens
