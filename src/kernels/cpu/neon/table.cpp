// Kernels for aarch64 with Advanced SIMD.
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/neon/byte_product.h"
#include "kernels/cpu/neon/panel_lanes.h"
#include "kernels/cpu/vec/vec_neon.h"

#include "kernels/cpu/generic/generic_table.inl"
#include "kernels/cpu/generic/quantize_int8.inl"
#include "kernels/cpu/neon/int8_linear.inl"

namespace nolens {
namespace {

constexpr KernelTable table() noexcept {
  KernelTable table = generic_table("neon");
  table.quantize_int8 = quantize_int8;
  table.linear_q8_0_int8 = int8_linear;
  return table;
}

}  // namespace

constinit const KernelTable kNeonKernels = table();

}  // namespace nolens
