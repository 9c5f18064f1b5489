// The oracle: every operation of kernels.h in double precision, one obvious loop each.
#pragma once

#include <memory>

#include "kernels/kernels.h"

namespace nolens {

/// Slow on purpose, single-threaded; results are the exact values rounded to float once.
std::unique_ptr<Kernels> make_reference_kernels();

}  // namespace nolens
