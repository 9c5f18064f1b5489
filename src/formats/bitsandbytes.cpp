// Everything here comes from a file: sizes are compared before a pointer is kept.
#include "formats/bitsandbytes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/json_fields.h"

namespace nolens {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kState = ".quant_state.bitsandbytes__";
constexpr std::string_view kRowScales = ".SCB";
constexpr JsonLimits kStateLimits{.max_bytes = 16U << 10U, .max_depth = 4, .max_values = 64};

/// One tensor of either list.
struct Part {
  std::string_view dtype;
  const std::vector<std::int64_t>* shape;
  const std::byte* data;
  std::int64_t bytes;
  std::string_view file;
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

[[noreturn]] void refuse(std::string_view file, std::string_view tensor, const std::string& what) {
  throw Error(ErrorCode::kModel, std::string(file) + ": tensor '" + escape_for_message(tensor) +
                                     "' " + what +
                                     "; download the model again or quantise it anew");
}

class Resolver {
 public:
  Resolver(std::vector<TensorView>& tensors, std::vector<RawTensor>& raw)
      : tensors_(tensors), raw_(raw) {
    for (const TensorView& t : tensors) {
      add(t.name, {dtype_name(t.dtype), &t.shape, t.data, t.bytes, t.file});
    }
    for (const RawTensor& t : raw) {
      add(t.name, {t.dtype, &t.shape, t.data, t.bytes, t.file});
    }
  }

  ScalesList run() {
    for (const auto& [name, part] : parts_) {
      if (const std::size_t state = name.find(kState); state != std::string_view::npos) {
        resolve_codes(name.substr(0, state), name.substr(state + kState.size()), name, part);
      } else if (name.ends_with(kRowScales)) {
        resolve_rows(name.substr(0, name.size() - kRowScales.size()), name, part);
      }
    }
    const auto used = [&](const auto& tensor) { return used_.contains(tensor.name); };
    // The names in parts_ and used_ lead into the lists: they end with the moves below.
    std::vector<bool> drop_tensor;
    std::vector<bool> drop_raw;
    std::transform(tensors_.begin(), tensors_.end(), std::back_inserter(drop_tensor), used);
    std::transform(raw_.begin(), raw_.end(), std::back_inserter(drop_raw), used);
    drop(tensors_, drop_tensor);
    drop(raw_, drop_raw);
    std::move(resolved_.begin(), resolved_.end(), std::back_inserter(tensors_));
    return std::move(scales_);
  }

 private:
  void add(std::string_view name, const Part& part) {
    const auto [twin, is_new] = parts_.emplace(name, part);
    if (!is_new) {
      throw Error(ErrorCode::kModel, "tensor '" + escape_for_message(name) +
                                         "' is in two shards: " + std::string(twin->second.file) +
                                         " and " + std::string(part.file));
    }
  }

  template <typename T>
  static void drop(std::vector<T>& list, const std::vector<bool>& dropped) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!dropped[i]) {
        if (kept != i) {
          list[kept] = std::move(list[i]);
        }
        ++kept;
      }
    }
    list.resize(kept);
  }

  [[nodiscard]] const Part* find(std::string_view name) {
    const auto found = parts_.find(name);
    if (found == parts_.end()) {
      return nullptr;
    }
    used_.emplace(found->first);
    return &found->second;
  }

  /// A part with this type and number of values.
  const Part& require(const std::string& name, std::string_view dtype, std::int64_t values,
                      std::int64_t value_bytes, std::string_view file) {
    const Part* part = find(name);
    if (part == nullptr) {
      refuse(file, name, "is missing, without which its weight cannot be read");
    }
    if (part->dtype != dtype || part->bytes != values * value_bytes) {
      refuse(part->file, name,
             "must be " + std::string(dtype) + " with " + std::to_string(values) +
                 " values, found " + std::string(part->dtype) + " " + shape_text(*part->shape));
    }
    return *part;
  }

  template <std::size_t kSize>
  void read_codebook(const std::string& name, std::string_view file,
                     std::array<float, kSize>& codebook) {
    const Part& part = require(name, "F32", static_cast<std::int64_t>(kSize), 4, file);
    std::memcpy(codebook.data(), part.data, sizeof(codebook));
    if (!std::all_of(codebook.begin(), codebook.end(), [](float v) { return std::isfinite(v); })) {
      refuse(part.file, name, "holds a value that is not finite");
    }
  }

  /// NF4 and FP4.
  void resolve_codes(std::string_view weight, std::string_view type, std::string_view state_name,
                     const Part& state) {
    const std::string prefix(weight);
    if (type != "nf4" && type != "fp4") {
      refuse(state.file, state_name,
             "has the type '" + escape_for_message(type, 40) + "', supported are nf4 and fp4");
    }
    used_.emplace(state_name);
    const std::string document =
        std::string(state.file) + ": tensor '" + escape_for_message(state_name) + "'";
    if (state.dtype != "U8") {
      refuse(state.file, state_name, "must be U8, the bytes of a JSON object");
    }
    const Json json = parse_json(
        {reinterpret_cast<const char*>(state.data), static_cast<std::size_t>(state.bytes)},
        document, ErrorCode::kModel, kStateLimits);
    const JsonFields fields(json, document);
    if (fields.text("quant_type") != std::string(type)) {
      fields.fail_value("quant_type", "\"" + std::string(type) + "\", as in the tensor's name");
    }
    auto scales = std::make_unique<WeightScales>();
    scales->block_size = read_block_size(fields, "blocksize");
    scales->value_dtype = read_value_dtype(fields);
    const std::vector<std::int64_t> shape =
        fields.integers("shape").value_or(std::vector<std::int64_t>{});
    const auto values = shape.size() == 2 ? checked_mul(shape[0], shape[1]) : std::nullopt;
    if (!values || *values == 0 || shape[1] % 2 != 0) {
      fields.fail_value("shape", "two positive sizes, the second even");
    }
    const Part* codes = find(weight);
    if (codes == nullptr) {
      refuse(state.file, weight, "is missing, although its quantisation state is there");
    }
    if (codes->bytes != *values / 2) {
      refuse(codes->file, weight,
             "must have " + std::to_string(*values / 2) + " bytes for the shape " +
                 shape_text(shape) + ", found " + std::to_string(codes->bytes));
    }
    read_codebook(prefix + ".quant_map", state.file, scales->codebook);
    if (type == "fp4" && scales->codebook[8] == 0.0F) {
      scales->codebook[8] = -0.0F;  // what the library's kernels make of it; the stored map has +0
    }
    const std::int64_t blocks = ceil_div(*values, scales->block_size);
    read_scales(prefix, state.file, fields, blocks, *scales);
    emit(weight, type == "nf4" ? DType::kNf4 : DType::kFp4, shape, *codes, std::move(scales));
  }

  static std::int64_t read_block_size(const JsonFields& fields, std::string_view key) {
    const std::int64_t size = fields.integer(key).value_or(0);
    if (size < 32 || size > 4096 || (size & (size - 1)) != 0) {
      fields.fail_value(key, "a power of two from 32 to 4096");
    }
    return size;
  }

  static DType read_value_dtype(const JsonFields& fields) {
    const std::string name = fields.text("dtype").value_or("");
    for (const auto& [known, dtype] :
         {std::pair{"bfloat16", DType::kBf16}, std::pair{"float16", DType::kF16},
          std::pair{"float32", DType::kF32}}) {
      if (name == known) {
        return dtype;
      }
    }
    fields.fail_value("dtype", "\"bfloat16\", \"float16\" or \"float32\"");
  }

  void read_scales(const std::string& prefix, std::string_view file, const JsonFields& fields,
                   std::int64_t blocks, WeightScales& scales) {
    const std::string absmax = prefix + ".absmax";
    scales.nested = fields.has("nested_blocksize") || parts_.contains(prefix + ".nested_absmax");
    const Part& inner = scales.nested ? require(absmax, "U8", blocks, 1, file)
                                      : require(absmax, "F32", blocks, 4, file);
    scales.absmax = reinterpret_cast<const unsigned char*>(inner.data);
    if (!scales.nested) {
      return;
    }
    scales.nested_block_size = read_block_size(fields, "nested_blocksize");
    if (fields.text("nested_dtype").value_or("float32") != "float32") {
      fields.fail_value("nested_dtype", "\"float32\"");
    }
    const auto offset = fields.number("nested_offset");
    if (!offset || !std::isfinite(static_cast<float>(*offset))) {
      fields.fail_value("nested_offset", "a finite number");
    }
    scales.nested_offset = static_cast<float>(*offset);
    read_codebook(prefix + ".nested_quant_map", file, scales.nested_codebook);
    const Part& outer = require(prefix + ".nested_absmax", "F32",
                                ceil_div(blocks, scales.nested_block_size), 4, file);
    scales.nested_absmax = reinterpret_cast<const unsigned char*>(outer.data);
  }

  /// INT8.
  void resolve_rows(std::string_view layer, std::string_view scales_name, const Part& absmax) {
    const std::string weight = std::string(layer) + std::string(kWeight);
    const Part* codes = find(weight);
    if (codes == nullptr || codes->dtype != "I8" || codes->shape->size() != 2 ||
        codes->bytes == 0) {
      refuse(absmax.file, weight,
             std::string("must be an I8 matrix, because there are row scales '") +
                 escape_for_message(scales_name) + "'; found " +
                 (codes == nullptr ? std::string("nothing")
                                   : std::string(codes->dtype) + " " + shape_text(*codes->shape)));
    }
    require(std::string(scales_name), "F32", codes->shape->front(), 4, absmax.file);
    const std::string format_name = weight + "_format";
    if (const Part* format = find(format_name); format != nullptr) {
      if (format->bytes != 1 || format->data[0] != std::byte{0}) {
        refuse(format->file, format_name,
               "must be one byte 0, rows one after the other; other layouts are not supported");
      }
    }
    auto scales = std::make_unique<WeightScales>();
    scales->absmax = reinterpret_cast<const unsigned char*>(absmax.data);
    emit(weight, DType::kInt8, *codes->shape, *codes, std::move(scales));
  }

  void emit(std::string_view name, DType dtype, const std::vector<std::int64_t>& shape,
            const Part& codes, std::unique_ptr<WeightScales> scales) {
    resolved_.push_back({std::string(name), dtype, shape, codes.data, codes.bytes,
                         std::string(codes.file), scales.get()});
    scales_.push_back(std::move(scales));
  }

  std::vector<TensorView>& tensors_;
  std::vector<RawTensor>& raw_;
  std::map<std::string_view, Part> parts_;
  std::set<std::string_view> used_;
  std::vector<TensorView> resolved_;
  ScalesList scales_;
};

}  // namespace

ScalesList resolve_bitsandbytes(std::vector<TensorView>& tensors, std::vector<RawTensor>& raw) {
  return Resolver(tensors, raw).run();
}

}  // namespace nolens
