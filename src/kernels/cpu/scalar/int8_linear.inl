// Q8_0 weights times int8 activations in plain loops; compilers know the inner one as a dot
// product. Order: sum += float(sum of a block's 32 products) * (weight scale * activation scale),
// block by block.
#pragma once

#include "kernels/cpu/generic/formats.inl"

namespace nolens {
namespace {

inline std::int32_t block_product(const std::int8_t* w, const std::int8_t* x) noexcept {
  std::int32_t sum = 0;
  for (int i = 0; i < 32; ++i) {
    sum += w[i] * x[i];
  }
  return sum;
}

void int8_linear(const Int8LinearArgs& a) noexcept {
  const std::int64_t blocks = a.k / 32;
  for (std::int64_t n = a.n0; n < a.n1; ++n) {
    const unsigned char* row = a.w.data + n * a.w.row_bytes;
    for (std::int64_t m = 0; m < a.m; ++m) {
      const std::int8_t* x = a.x.q + m * a.k;
      const float* x_scales = a.x.scales + m * blocks;
      float sum = 0.0F;
      for (std::int64_t b = 0; b < blocks; ++b) {
        const unsigned char* block = row + b * 34;
        std::int8_t w[32];
        __builtin_memcpy(w, block + 2, 32);
        const auto products = static_cast<float>(block_product(w, x + b * 32));
        sum += products * (half_at(block) * x_scales[b]);
      }
      a.y[m * a.y_stride + n] = a.bias == nullptr ? sum : sum + a.bias[n];
    }
  }
}

}  // namespace
}  // namespace nolens
