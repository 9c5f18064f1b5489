// Kernels for any machine.
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/scalar/panel_lanes.h"
#include "kernels/cpu/vec/vec_scalar.h"

#include "kernels/cpu/generic/generic_table.inl"
#include "kernels/cpu/generic/quantize_int8.inl"
#include "kernels/cpu/scalar/int8_linear.inl"

namespace nolens {
namespace {

constexpr KernelTable table() noexcept {
  KernelTable table = generic_table("scalar");
  table.quantize_int8 = quantize_int8;
  table.linear_q8_0_int8 = int8_linear;
  return table;
}

}  // namespace

constinit const KernelTable kScalarKernels = table();

}  // namespace nolens
