// exp, tanh, gelu and silu over Vec. Polynomials are minimax fits (Remez, weighted for relative
// error) made for this file; their errors are far below half a unit in the last place (ulp).
#pragma once

namespace nolens {
namespace {

/// e^(x + tail) for |tail| << 1, within 2 ulp of a float; 0 below -104, infinity above 88.73.
inline Vec exp_of_sum(Vec x, Vec tail) noexcept {
  // Beyond these limits the result is 0 or infinity anyway, and n below stays small.
  x = min(set1(89.0F), max(set1(-104.0F), x));
  const Vec n = round(mul(x, set1(1.44269502F)));  // x / ln 2
  // ln 2 in two parts; the first has 15 bits, so that n times it is exact without FMA too.
  Vec r = fnma(n, set1(0.693145751953125F), x);
  r = add(fnma(n, set1(1.42860677e-6F), r), tail);
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2; the fit's error is 3.1e-9 relative to e^r.
  Vec p = set1(0.00138144672F);
  p = fma(p, r, set1(0.00836878084F));
  p = fma(p, r, set1(0.0416683927F));
  p = fma(p, r, set1(0.166665196F));
  p = fma(p, r, set1(0.49999994F));
  p = add(fma(p, mul(r, r), r), set1(1.0F));
  return times_power_of_two(p, n);
}

inline Vec exp(Vec x) noexcept {
  return exp_of_sum(x, zero());
}

/// Hyperbolic tangent, within 3 ulp.
inline Vec tanh(Vec x) noexcept {
  const Vec magnitude = abs(x);
  // (tanh(x) / x - 1) / x^2 in z = x^2 for |x| <= 0.625; the fit's error is 4.4e-9.
  const Vec z = mul(x, x);
  Vec p = set1(-0.00570498686F);
  p = fma(p, z, set1(0.020639088F));
  p = fma(p, z, set1(-0.0537397154F));
  p = fma(p, z, set1(0.133314416F));
  p = fma(p, z, set1(-0.333332807F));
  const Vec small = fma(mul(p, z), x, x);
  const Vec e = exp(add(magnitude, magnitude));
  const Vec large = sub(set1(1.0F), div(set1(2.0F), add(e, set1(1.0F))));
  return select(less(magnitude, set1(0.625F)), small, copy_sign(large, x));
}

/// x / (1 + exp(-x)), within 4 ulp or 2^-121.
inline Vec silu(Vec x) noexcept {
  // The lower limit makes the result -0 instead of -infinity / infinity.
  const Vec limited = max(set1(-1000.0F), x);
  return div(limited, add(set1(1.0F), exp(sub(zero(), limited))));
}

/// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3), within 4 ulp or
/// 2^-121. The exponent is computed to twice float precision: at x = -5 an error of one ulp in it
/// would be an error of 17 ulp in the result. (Hendrycks & Gimpel 2016; the tanh form loses all
/// digits there.)
inline Vec gelu_tanh(Vec x) noexcept {
  const Vec limited = max(set1(-16.0F), x);
  const Vec a = min(set1(16.0F), limited);
  // -2u = a (c1 + c2 a^2); c1 = -2 sqrt(2/pi), c2 = 0.044715 c1, both with the rest of their
  // digits.
  const Vec c1 = set1(-1.59576917F);
  const Vec c1_rest = set1(4.53406805e-08F);
  const Vec c2 = set1(-0.0713548139F);
  const Vec c2_rest = set1(-2.39883247e-09F);
  const Vec square = mul(a, a);
  const Vec square_rest = product_error(a, a, square);
  const Vec cubic = mul(c2, square);
  const Vec cubic_rest = product_error(c2, square, cubic);
  // Knuth's two-sum: sum + sum_rest == c1 + cubic.
  const Vec sum = add(c1, cubic);
  const Vec cubic_part = sub(sum, c1);
  const Vec sum_rest = add(sub(c1, sub(sum, cubic_part)), sub(cubic, cubic_part));
  const Vec exponent = mul(a, sum);
  Vec rest = add(add(sum_rest, c1_rest), cubic_rest);
  rest = fma(c2, square_rest, fma(c2_rest, square, rest));
  rest = fma(a, rest, product_error(a, sum, exponent));
  return div(limited, add(set1(1.0F), exp_of_sum(exponent, rest)));
}

}  // namespace
}  // namespace nolens
