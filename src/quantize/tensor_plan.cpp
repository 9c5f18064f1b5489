#include "quantize/tensor_plan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/escape.h"
#include "formats/tensor_specs.h"
#include "quantize/pack_panels.h"

namespace nolens {
namespace {

constexpr std::string_view kLayers = "model.language_model.layers.";
constexpr std::size_t kMaxNamed = 4;

bool is_head(std::string_view name) {
  return name == "lm_head.weight" || name == "model.language_model.embed_tokens.weight";
}

bool is_linear(std::string_view name) {
  return name.starts_with(kLayers) && name.ends_with("_proj.weight");
}

/// Whether rows of `columns` values can be written in the format.
bool fits(DType dtype, std::int64_t columns) {
  if (is_plain(dtype)) {
    return true;
  }
  const auto format = panel_format(dtype, false);
  return format && columns % block_size(dtype) == 0 && fits_panels(*format, columns);
}

bool is_of_decoder(std::string_view name) {
  return is_head(name) || name.starts_with(kLayers);
}

/// A tensor that stays what it is, in panels if it can be. Embedders of pictures and sound stay in
/// rows: products with panels round activations to 8 bits, which their inputs do not bear.
void keep(TensorPlan& plan) {
  const auto format =
      is_of_decoder(plan.name) ? lossless_panels(matrix_of(*plan.source)) : std::nullopt;
  plan.dtype = plan.source->dtype;
  plan.conversion = format ? Conversion::kRepack : Conversion::kCopy;
  plan.nested = format ? *format == PanelFormat::kNestedCodes
                       : plan.source->scales != nullptr && plan.source->scales->nested;
}

void round_to(DType wanted, bool nested, TensorPlan& plan) {
  const DType source = plan.source->dtype;
  const std::int64_t columns = matrix_of(*plan.source).cols;
  if (wanted == source) {
    return keep(plan);
  }
  plan.dtype = wanted;
  if (!fits(wanted, columns)) {
    plan.wanted = wanted;
    if (!is_plain(source) || !fits(DType::kQ8_0, columns)) {
      return keep(plan);
    }
    plan.dtype = DType::kQ8_0;
  }
  plan.conversion = Conversion::kRound;
  plan.nested = nested && needs_scales(plan.dtype);
  plan.requantised = !is_plain(source);
}

/// Layers in order of their number, the embedding before them, everything else after.
std::tuple<int, std::int64_t, std::string_view> order_of(const TensorPlan& plan) {
  const std::string_view name = plan.name;
  if (is_head(name)) {
    return {0, 0, name};
  }
  std::int64_t number = 0;
  if (!name.starts_with(kLayers)) {
    return {2, 0, name};
  }
  for (const char c : name.substr(kLayers.size())) {
    if (c < '0' || c > '9' || number > (std::int64_t{1} << 32)) {
      break;
    }
    number = number * 10 + (c - '0');
  }
  return {1, number, name};
}

std::string named(const std::vector<const TensorPlan*>& plans) {
  std::string text =
      std::to_string(plans.size()) + (plans.size() == 1 ? " tensor" : " tensors") + " (";
  for (std::size_t i = 0; i < std::min(plans.size(), kMaxNamed); ++i) {
    text += (i == 0 ? "" : ", ") + escape_for_message(plans[i]->name);
  }
  return text + (plans.size() > kMaxNamed ? ", …)" : ")");
}

}  // namespace

WeightMatrix matrix_of(const TensorView& tensor) noexcept {
  std::int64_t cols = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    cols *= tensor.shape[i];
  }
  return {tensor.data, tensor.dtype,  tensor.shape.empty() ? 1 : tensor.shape[0],
          cols,        tensor.scales, tensor.layout};
}

std::vector<TensorPlan> plan_tensors(const TensorStore& store, const TensorFormats& formats) {
  std::vector<TensorPlan> plans;
  for (const TensorView& tensor : store.tensors()) {
    TensorPlan plan;
    plan.name = canonical_tensor_name(tensor.name);
    plan.source = &tensor;
    const bool is_matrix = tensor.shape.size() == 2;
    const auto wanted = is_matrix && is_head(plan.name)     ? formats.head
                        : is_matrix && is_linear(plan.name) ? formats.linear
                                                            : std::nullopt;
    wanted ? round_to(*wanted, formats.nested, plan) : keep(plan);
    plans.push_back(std::move(plan));
  }
  std::sort(plans.begin(), plans.end(),
            [](const TensorPlan& a, const TensorPlan& b) { return order_of(a) < order_of(b); });
  return plans;
}

std::vector<std::string> plan_notes(const std::vector<TensorPlan>& plans) {
  std::map<std::pair<DType, DType>, std::vector<const TensorPlan*>> narrow;
  std::map<DType, std::vector<const TensorPlan*>> twice;
  for (const TensorPlan& plan : plans) {
    if (plan.wanted) {
      narrow[{*plan.wanted, plan.dtype}].push_back(&plan);
    } else if (plan.requantised) {
      twice[plan.source->dtype].push_back(&plan);
    }
  }
  std::vector<std::string> notes;
  for (const auto& [dtypes, tensors] : narrow) {
    notes.push_back(named(tensors) + " cannot be " + std::string(dtype_name(dtypes.first)) +
                    ", because of the length of their rows: written as " +
                    std::string(dtype_name(dtypes.second)));
  }
  for (const auto& [dtype, tensors] : twice) {
    notes.push_back(named(tensors) + " had been quantised to " + std::string(dtype_name(dtype)) +
                    " and lose accuracy a second time; --format keep does not");
  }
  return notes;
}

}  // namespace nolens
