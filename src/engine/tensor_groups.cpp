// Model::tensor_groups().
#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "core/checked_math.h"
#include "engine/model_impl.h"
#include "formats/tensor_specs.h"

namespace nolens {
namespace {

struct Rule {
  std::string_view part;  ///< of a tensor's canonical name
  std::string_view group;
};
/// The first that fits decides.
constexpr std::array<Rule, 12> kRules{{{"vision_embedder.", "vision"},
                                       {"embed_vision.", "vision"},
                                       {"embed_audio.", "audio"},
                                       {"embed_tokens.", "embedding"},
                                       {"lm_head.", "embedding"},
                                       {"_norm.", "norms"},
                                       {"layernorm.", "norms"},
                                       {"language_model.norm.", "norms"},
                                       {"layer_scalar", "norms"},
                                       {".self_attn.", "attention"},
                                       {".mlp.", "feed-forward"},
                                       {"", "other"}}};
constexpr std::array<std::string_view, 7> kOrder{"embedding", "attention", "feed-forward", "vision",
                                                 "audio",     "norms",     "other"};

std::string_view group_of(std::string_view name) {
  return std::find_if(
             kRules.begin(), kRules.end(),
             [&](const Rule& rule) { return name.find(rule.part) != std::string_view::npos; })
      ->group;
}

std::int64_t count_values(const TensorView& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) {
    count *= extent;
  }
  return count;
}

/// Of a weight whose scales lie beside its data, or partly so.
std::int64_t scale_bytes(const TensorView& tensor) {
  if (tensor.scales == nullptr) {
    return 0;
  }
  const WeightScales& scales = *tensor.scales;
  if (tensor.dtype == DType::kInt8) {
    return tensor.shape.front() * 4;
  }
  const std::int64_t blocks = ceil_div(count_values(tensor), scales.block_size);
  std::int64_t bytes = 0;
  if (scales.absmax != nullptr) {
    bytes += blocks * (scales.nested ? 1 : 4);
  }
  return scales.nested ? bytes + ceil_div(blocks, scales.nested_block_size) * 4 : bytes;
}

}  // namespace

std::vector<TensorGroup> Model::tensor_groups() const {
  std::map<std::string_view, TensorGroup> groups;
  std::map<std::string_view, std::int64_t> largest;
  for (const TensorView& tensor : impl_->store.tensors()) {
    const std::string name = canonical_tensor_name(tensor.name);
    const std::string_view key = group_of(name);
    TensorGroup& group = groups[key];
    group.name = key;
    group.parameters += count_values(tensor);
    group.bytes += tensor.bytes + scale_bytes(tensor);
    if (tensor.bytes > largest[key]) {
      largest[key] = tensor.bytes;
      group.format = dtype_name(tensor.dtype);
      group.layout = tensor.layout == WeightLayout::kPanels ? "panels" : "rows";
    }
  }
  std::vector<TensorGroup> ordered;
  for (const std::string_view name : kOrder) {
    if (const auto found = groups.find(name); found != groups.end()) {
      ordered.push_back(std::move(found->second));
    }
  }
  return ordered;
}

}  // namespace nolens
