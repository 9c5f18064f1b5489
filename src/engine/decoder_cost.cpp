// decoder_cost() and kv_read_bytes().
#include <algorithm>

#include "nolens/cost.h"

#include "core/checked_math.h"
#include "engine/model_impl.h"
#include "kernels/cpu/dispatch.h"

namespace nolens {
namespace {

/// As the CPU backend chooses (kernels/cpu/cpu_backend.cpp, linear()).
Arithmetic arithmetic_of(const WeightMatrix& weight, bool exact) {
  const KernelTable& table = choose_table();
  if (exact) {
    return Arithmetic::kFloat32;
  }
  if (weight.layout == WeightLayout::kPanels ||
      (weight.dtype == DType::kQ8_0 && table.linear_q8_0_int8 != nullptr)) {
    return Arithmetic::kInt8;
  }
  return weight.dtype == DType::kBf16 && table.linear_bf16_rounded != nullptr
             ? Arithmetic::kBf16
             : Arithmetic::kFloat32;
}

/// Of scales that lie beside the weight.
std::int64_t beside_bytes(const WeightMatrix& weight) {
  if (weight.scales == nullptr) {
    return 0;
  }
  const WeightScales& scales = *weight.scales;
  if (weight.dtype == DType::kInt8) {
    return weight.rows * 4;
  }
  const std::int64_t blocks = ceil_div(weight.rows * weight.cols, scales.block_size);
  const std::int64_t absmax = scales.absmax == nullptr ? 0 : blocks * (scales.nested ? 1 : 4);
  return absmax + (scales.nested ? ceil_div(blocks, scales.nested_block_size) * 4 : 0);
}

ProductCost cost_of(const WeightMatrix& weight, bool exact) {
  return {arithmetic_of(weight, exact), weight.rows * weight.cols,
          weight.bytes() + beside_bytes(weight)};
}

}  // namespace

DecoderCost decoder_cost(const Model& model) {
  const Model::Impl& impl = model.impl();
  DecoderCost cost;
  cost.head = cost_of(impl.weights.lm_head, impl.exact);
  for (const LayerWeights& layer : impl.weights.layers) {
    for (const WeightMatrix* weight : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                       &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
      if (weight->empty()) {
        continue;
      }
      const ProductCost one = cost_of(*weight, impl.exact);
      auto sum = std::find_if(
          cost.layers.begin(), cost.layers.end(),
          [&](const ProductCost& known) { return known.arithmetic == one.arithmetic; });
      if (sum == cost.layers.end()) {
        sum = cost.layers.insert(cost.layers.end(), {one.arithmetic, 0, 0});
      }
      sum->parameters += one.parameters;
      sum->bytes += one.bytes;
    }
  }
  return cost;
}

std::int64_t kv_read_bytes(const Model& model, std::int64_t position) {
  const TextConfig& text = model.config().text;
  const std::int64_t value_bytes = model.impl().kv_type() == KvType::kF32 ? 4 : 2;
  std::int64_t total = 0;
  for (const LayerConfig& layer : text.layers) {
    const std::int64_t keys = layer.type == LayerType::kSlidingAttention
                                  ? std::min(position + 1, text.sliding_window)
                                  : position + 1;
    total += 2 * keys * layer.num_key_value_heads * layer.head_dim * value_bytes;
  }
  return total;
}

}  // namespace nolens
