// Kernels for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/cpu/avx2/byte_product_vnni.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/avx512/panel_lanes.h"
#include "kernels/cpu/vec/vec_avx512.h"

#include "kernels/cpu/avx2/int8_linear.inl"
#include "kernels/cpu/avx512/attention_int8.inl"
#include "kernels/cpu/avx512/sixteen_lanes.inl"
#include "kernels/cpu/generic/generic_table.inl"
#include "kernels/cpu/generic/quantize_int8.inl"

namespace nolens {
namespace {

constexpr KernelTable table() noexcept {
  KernelTable table = generic_table("avx512vnni");
  table.quantize_int8 = quantize_int8;
  table.linear_q8_0_int8 = int8_linear<SixteenLanes>;
  set_attention<Int8Products>(table, KvType::kInt8);
  return table;
}

}  // namespace

constinit const KernelTable kAvx512VnniKernels = table();

}  // namespace nolens
