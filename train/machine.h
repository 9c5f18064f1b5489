// What training needs of the machine.
#pragma once

#include <string>

namespace nolens::train {

/// float32 matrix product speed of one thread, GFLOP/s, measured in a few milliseconds.
double matrix_speed();

/// Empty if `gigaflops` is what an optimised BLAS reaches, else a sentence with the remedy.
std::string slow_blas_warning(double gigaflops);

}  // namespace nolens::train
