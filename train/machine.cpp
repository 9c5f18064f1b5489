#include "machine.h"

#include <algorithm>
#include <chrono>

#include <ATen/ATen.h>

namespace nolens::train {
namespace {

constexpr std::int64_t kSide = 256;
// The reference BLAS reaches 2 to 6 on current cores, an optimised one 50 and more.
constexpr double kSlow = 15.0;

}  // namespace

double matrix_speed() {
  const at::Tensor a = at::ones({kSide, kSide}, at::kFloat);
  double best = 0.0;
  // The best of several rounds, so that a busy machine is not mistaken for a slow library.
  for (int round = 0; round < 6; ++round) {
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, a);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    const double operations = 2.0 * kSide * kSide * kSide;
    best = std::max(best, operations / spent.count() / 1e9);
  }
  return best;
}

std::string slow_blas_warning(double gigaflops) {
  if (gigaflops >= kSlow) {
    return {};
  }
  return "matrix products run at " + std::to_string(static_cast<int>(gigaflops)) +
         " GFLOP/s only, as with the reference BLAS; install libopenblas0-pthread (Debian and "
         "Ubuntu), training is 20 to 50 times faster with it";
}

}  // namespace nolens::train
