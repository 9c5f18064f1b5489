// Building blocks of the fused steps, written so that the compiler vectorises them at any width.
#pragma once

#include <bit>
#include <cstdint>

// One binary for every x86-64: GCC and Clang pick the widest version when the program is loaded.
// Sanitizers cannot run before relocation, where that choice is made.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define NOLENS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NOLENS_CLONES
#endif

namespace nolens::train {

inline constexpr std::int64_t kLanes = 16;

/// Sum of a[i] * b[i] in 16 partial sums, so that the compiler may use vectors of any width.
[[gnu::always_inline]] inline float dot(const float* a, const float* b, std::int64_t n) {
  float partial[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += a[i + lane] * b[i + lane];
    }
  }
  float sum = 0.0F;
  for (; i < n; ++i) {
    sum += a[i] * b[i];
  }
  for (const float p : partial) {
    sum += p;
  }
  return sum;
}

[[gnu::always_inline]] inline float dot3(const float* a, const float* b, const float* c,
                                         std::int64_t n) {
  float partial[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += a[i + lane] * b[i + lane] * c[i + lane];
    }
  }
  float sum = 0.0F;
  for (; i < n; ++i) {
    sum += a[i] * b[i] * c[i];
  }
  for (const float p : partial) {
    sum += p;
  }
  return sum;
}

/// e^x for x <= 88, relative error below 2e-7; 0 below -87. Range reduction to |r| <= ln(2)/2, then
/// the Taylor polynomial of degree 7.
[[gnu::always_inline]] inline float exp_approximation(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to the nearest integer
  const float n = (x * 1.44269504F + kRound) - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::int32_t exponent = (static_cast<std::int32_t>(n) + 127) * (1 << 23);
  return p * std::bit_cast<float>(exponent);
}

/// y += factor * x.
[[gnu::always_inline]] inline void add_scaled(float factor, const float* x, std::int64_t n,
                                              float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] += factor * x[i];
  }
}

}  // namespace nolens::train
