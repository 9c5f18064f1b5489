// The table that every instruction set starts from; include after its vec_*.h and the generic
// files.
#pragma once

#include "kernels/cpu/generic/attention_formats.inl"
#include "kernels/cpu/generic/block_formats.inl"
#include "kernels/cpu/generic/code_formats.inl"
#include "kernels/cpu/generic/elementwise.inl"
#include "kernels/cpu/generic/formats.inl"
#include "kernels/cpu/generic/linear.inl"
#include "kernels/cpu/generic/norm.inl"
#include "kernels/cpu/generic/panel_linear.inl"
#include "kernels/cpu/generic/panel_rows.inl"

namespace nolens {
namespace {

/// A format that products read in place.
template <class Format>
constexpr void set_direct(KernelTable& table, DType dtype) noexcept {
  table.expand[static_cast<int>(dtype)] = expand_row<LoadedFormat<Format>>;
  table.linear[static_cast<int>(dtype)] = linear<FloatDot<Format>>;
}

/// A format that products expand block by block.
template <class Format>
constexpr void set_by_panels(KernelTable& table, DType dtype) noexcept {
  table.expand[static_cast<int>(dtype)] = expand_row<Format>;
  table.linear[static_cast<int>(dtype)] = linear_of_blocks<Format>;
}

/// All formats of panels, multiplied by the PanelLanes included before.
template <std::size_t... kFormats>
constexpr void set_panels(KernelTable& table, std::index_sequence<kFormats...>) noexcept {
  table.quantize_split = quantize_split;
  (set_panel_rows<static_cast<PanelFormat>(kFormats)>(table), ...);
  ((table.panel_pair[kFormats] = panel_pair<PanelLanes, static_cast<PanelFormat>(kFormats)>), ...);
}

constexpr KernelTable generic_table(const char* name) noexcept {
  KernelTable table{};
  table.name = name;
  table.lanes = Vec::kLanes;
  table.tile_m = kTileM;
  set_direct<F32Format>(table, DType::kF32);
  set_direct<F16Format>(table, DType::kF16);
  set_direct<Bf16Format>(table, DType::kBf16);
  set_direct<Q8Format>(table, DType::kQ8_0);
  set_by_panels<BlockFormat<Q4_0Block>>(table, DType::kQ4_0);
  set_by_panels<BlockFormat<Q4_1Block>>(table, DType::kQ4_1);
  set_by_panels<BlockFormat<Q5_0Block>>(table, DType::kQ5_0);
  set_by_panels<BlockFormat<Q5_1Block>>(table, DType::kQ5_1);
  set_by_panels<BlockFormat<Q4_KBlock>>(table, DType::kQ4_K);
  set_by_panels<BlockFormat<Q5_KBlock>>(table, DType::kQ5_K);
  set_by_panels<BlockFormat<Q6_KBlock>>(table, DType::kQ6_K);
  set_by_panels<BlockFormat<IQ4_NLBlock>>(table, DType::kIQ4_NL);
  set_by_panels<CodeFormat>(table, DType::kNf4);
  set_by_panels<CodeFormat>(table, DType::kFp4);
  set_by_panels<Int8Format>(table, DType::kInt8);
  set_panels(table, std::make_index_sequence<kPanelFormatCount>{});
  table.pixel_values = pixel_values;
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
  set_generic_attention(table);
  return table;
}

}  // namespace
}  // namespace nolens
