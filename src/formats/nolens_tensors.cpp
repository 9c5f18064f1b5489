#include "formats/nolens_tensors.h"

#include <algorithm>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/json_fields.h"

namespace nolens {
namespace {

constexpr JsonLimits kLimits{.max_bytes = 32U << 20U, .max_depth = 4, .max_values = 4U << 20U};
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;
constexpr std::int64_t kMaxCodebooks = 4096;

std::optional<DType> dtype_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kDTypeCount; ++i) {
    if (kDTypeTraits[i].name == name) {
      return static_cast<DType>(i);
    }
  }
  return std::nullopt;
}

DType read_dtype(const JsonFields& fields, std::string_view key) {
  const auto dtype = dtype_named(fields.text(key).value_or(""));
  if (!dtype) {
    fields.fail_value(key, "the name of a number format");
  }
  return *dtype;
}

std::int64_t read_integer(const JsonFields& fields, std::string_view key, std::int64_t least,
                          std::int64_t most) {
  const auto value = fields.integer(key);
  if (!value || *value < least || *value > most) {
    fields.fail_value(key,
                      "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *value;
}

/// A power of two, as bitsandbytes has them.
std::int64_t read_block(const JsonFields& fields, std::string_view key) {
  const std::int64_t block = read_integer(fields, key, 32, 4096);
  if ((block & (block - 1)) != 0) {
    fields.fail_value(key, "a power of two from 32 to 4096");
  }
  return block;
}

void read_scales(const JsonFields& fields, NolensTensor& tensor) {
  tensor.codebook = read_integer(fields, "codebook", 0, kMaxCodebooks);
  tensor.block_size = read_block(fields, "block_size");
  tensor.value_dtype = read_dtype(fields, "value_dtype");
  if (!is_plain(tensor.value_dtype)) {
    fields.fail_value("value_dtype", "\"F32\", \"F16\" or \"BF16\"");
  }
  if (!fields.has("nested_codebook")) {
    return;
  }
  tensor.nested_codebook = read_integer(fields, "nested_codebook", 0, kMaxCodebooks);
  tensor.nested_block_size = read_block(fields, "nested_block_size");
}

NolensTensor read_tensor(const JsonFields& fields) {
  NolensTensor tensor;
  tensor.dtype = read_dtype(fields, "dtype");
  if (is_plain(tensor.dtype)) {
    fields.fail_value("dtype", "a quantised format");
  }
  tensor.shape = fields.integers("shape").value_or(std::vector<std::int64_t>{});
  if (tensor.shape.size() != 2 ||
      !std::all_of(tensor.shape.begin(), tensor.shape.end(),
                   [](std::int64_t extent) { return extent > 0 && extent <= kMaxExtent; })) {
    fields.fail_value("shape", "two positive sizes of at most 2^31");
  }
  if (tensor.shape[1] % block_size(tensor.dtype) != 0) {
    fields.fail_value("shape",
                      "rows of whole blocks of " + std::to_string(block_size(tensor.dtype)));
  }
  const std::string layout = fields.text("layout").value_or("");
  if (layout != "rows" && layout != "panels") {
    fields.fail_value("layout", "\"rows\" or \"panels\"");
  }
  tensor.layout = layout == "rows" ? WeightLayout::kRows : WeightLayout::kPanels;
  if (tensor.dtype == DType::kNf4 || tensor.dtype == DType::kFp4) {
    read_scales(fields, tensor);
  }
  return tensor;
}

}  // namespace

std::string nolens_tensors_to_json(const NolensTensors& tensors) {
  Json json = Json::object();
  for (const auto& [name, tensor] : tensors) {
    Json entry = {{"dtype", dtype_name(tensor.dtype)},
                  {"shape", tensor.shape},
                  {"layout", tensor.layout == WeightLayout::kRows ? "rows" : "panels"}};
    if (tensor.codebook >= 0) {
      entry["codebook"] = tensor.codebook;
      entry["block_size"] = tensor.block_size;
      entry["value_dtype"] = dtype_name(tensor.value_dtype);
    }
    if (tensor.nested()) {
      entry["nested_codebook"] = tensor.nested_codebook;
      entry["nested_block_size"] = tensor.nested_block_size;
    }
    json[name] = std::move(entry);
  }
  return json.dump();
}

NolensTensors nolens_tensors_from_json(std::string_view text, const std::string& file) {
  const std::string document = file + ": metadata nolens.tensors";
  const Json json = parse_json(text, document, ErrorCode::kModel, kLimits);
  if (!json.is_object()) {
    throw Error(ErrorCode::kModel, document + ": expected a JSON object");
  }
  NolensTensors tensors;
  for (const auto& [name, entry] : json.items()) {
    if (!entry.is_object()) {
      throw Error(ErrorCode::kModel,
                  document + ": '" + escape_for_message(name) + "' must be an object");
    }
    tensors.emplace(name, read_tensor(JsonFields(entry, document, escape_for_message(name))));
  }
  return tensors;
}

}  // namespace nolens
