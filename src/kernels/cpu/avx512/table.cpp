// Kernels for AVX-512 F, BW, DQ and VL; bytes are multiplied as with AVX2.
#include "kernels/cpu/avx2/byte_product_maddubs.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/avx2/panel_lanes.h"
#include "kernels/cpu/vec/vec_avx512.h"

#include "kernels/cpu/avx2/int8_linear.inl"
#include "kernels/cpu/generic/generic_table.inl"
#include "kernels/cpu/generic/quantize_int8.inl"

namespace nolens {
namespace {

constexpr KernelTable table() noexcept {
  KernelTable table = generic_table("avx512");
  table.quantize_int8 = quantize_int8;
  table.linear_q8_0_int8 = int8_linear<EightLanes>;
  return table;
}

}  // namespace

constinit const KernelTable kAvx512Kernels = table();

}  // namespace nolens
