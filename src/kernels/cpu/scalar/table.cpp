// Kernels for: Portable.
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/vec/vec_scalar.h"

#include "kernels/cpu/generic/generic_table.inl"

namespace nolens {

constinit const KernelTable kScalarKernels = generic_table("scalar");

}  // namespace nolens
