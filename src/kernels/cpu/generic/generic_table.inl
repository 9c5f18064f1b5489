// The table that every instruction set starts from; include after its vec_*.h and the generic
// files.
#pragma once

#include "kernels/cpu/generic/attention.inl"
#include "kernels/cpu/generic/elementwise.inl"
#include "kernels/cpu/generic/formats.inl"
#include "kernels/cpu/generic/linear.inl"
#include "kernels/cpu/generic/norm.inl"

namespace nolens {
namespace {

constexpr KernelTable generic_table(const char* name) noexcept {
  KernelTable table{};
  table.name = name;
  table.lanes = Vec::kLanes;
  table.tile_m = kTileM;
  table.expand_f32 = expand_row<F32Format>;
  table.expand_f16 = expand_row<F16Format>;
  table.expand_bf16 = expand_row<Bf16Format>;
  table.expand_q8_0 = expand_row<Q8Format>;
  table.linear_f32 = linear<FloatDot<F32Format>>;
  table.linear_f16 = linear<FloatDot<F16Format>>;
  table.linear_bf16 = linear<FloatDot<Bf16Format>>;
  table.linear_q8_0 = linear<FloatDot<Q8Format>>;
  table.rms_norm = rms_norm_row;
  table.layer_norm = layer_norm_row;
  table.rope = rope_head;
  table.exp = exp_values;
  table.gelu_gate = gelu_gate;
  table.silu_gate = silu_gate;
  table.add = add_values;
  table.scale = scale_values;
  table.softcap = softcap_values;
  table.to_f16 = to_f16_values;
  table.attention_f32 = attention<F32Format>;
  table.attention_f16 = attention<F16Format>;
  return table;
}

}  // namespace
}  // namespace nolens
