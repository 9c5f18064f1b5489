// Normalization and rotary embedding of one row or head.
#pragma once

#include "kernels/cpu/generic/elementwise.inl"

namespace nolens {
namespace {

void rms_norm_row(const float* x, const float* weight, float epsilon, std::int64_t d,
                  float* y) noexcept {
  DoubleSum squares{};
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= d; i += Vec::kLanes) {
    add_square_to(squares, load(x + i), 0.0);
  }
  if (i < d) {
    add_square_to(squares, load_partial(x + i, d - i), 0.0);
  }
  const double mean = total(squares) / static_cast<double>(d);
  const Vec factor = set1(static_cast<float>(1.0 / ::sqrt(mean + static_cast<double>(epsilon))));
  if (weight == nullptr) {
    map1(x, d, y, [factor](Vec v) { return mul(v, factor); });
  } else {
    map2(x, weight, d, y, [factor](Vec v, Vec w) { return mul(mul(v, factor), w); });
  }
}

void layer_norm_row(const float* x, const float* weight, const float* bias, float epsilon,
                    std::int64_t d, float* y) noexcept {
  DoubleSum values{};
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= d; i += Vec::kLanes) {
    add_to(values, load(x + i));
  }
  if (i < d) {
    add_to(values, load_partial(x + i, d - i));
  }
  const double mean = total(values) / static_cast<double>(d);

  DoubleSum squares{};
  for (i = 0; i + Vec::kLanes <= d; i += Vec::kLanes) {
    add_square_to(squares, load(x + i), mean);
  }
  double sum_of_squares = total(squares);
  for (; i < d; ++i) {  // not a partial vector: its zero lanes would count as mean^2
    const double difference = static_cast<double>(x[i]) - mean;
    sum_of_squares += difference * difference;
  }
  const double variance = sum_of_squares / static_cast<double>(d);
  const auto factor = static_cast<float>(1.0 / ::sqrt(variance + static_cast<double>(epsilon)));

  const Vec means = set1(static_cast<float>(mean));
  const Vec factors = set1(factor);
  for (i = 0; i + Vec::kLanes <= d; i += Vec::kLanes) {
    const Vec normed = mul(sub(load(x + i), means), factors);
    store(y + i, fma(normed, load(weight + i), load(bias + i)));
  }
  if (i < d) {
    const std::int64_t n = d - i;
    const Vec normed = mul(sub(load_partial(x + i, n), means), factors);
    store_partial(y + i, fma(normed, load_partial(weight + i, n), load_partial(bias + i, n)), n);
  }
}

void rope_head(const float* cos, const float* sin, std::int64_t half, float* x) noexcept {
  std::int64_t i = 0;
  for (; i + Vec::kLanes <= half; i += Vec::kLanes) {
    const Vec c = load(cos + i);
    const Vec s = load(sin + i);
    const Vec x1 = load(x + i);
    const Vec x2 = load(x + half + i);
    store(x + i, fnma(x2, s, mul(x1, c)));
    store(x + half + i, fma(x1, s, mul(x2, c)));
  }
  if (i < half) {
    const std::int64_t n = half - i;
    const Vec c = load_partial(cos + i, n);
    const Vec s = load_partial(sin + i, n);
    const Vec x1 = load_partial(x + i, n);
    const Vec x2 = load_partial(x + half + i, n);
    store_partial(x + i, fnma(x2, s, mul(x1, c)), n);
    store_partial(x + half + i, fma(x1, s, mul(x2, c)), n);
  }
}

}  // namespace
}  // namespace nolens
