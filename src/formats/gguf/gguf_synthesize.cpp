// Row by row: random values as the safetensors model of the same seed has them, brought into the
// order and type of a GGUF file.
#include "formats/gguf/gguf_synthesize.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "core/checked_math.h"
#include "core/escape.h"
#include "core/float16.h"
#include "formats/gguf/ggml_types.h"
#include "formats/gguf/gguf_names.h"
#include "formats/gguf/gguf_synthesize_keys.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/gguf/quantize_blocks.h"
#include "formats/synthetic_values.h"
#include "formats/tensor_specs.h"
#include "platform/quoted_path.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

constexpr std::int64_t kChunkBytes = 8 << 20;
constexpr std::int64_t kGrainBytes = 64 << 10;
constexpr std::int64_t kHeadBytes = 64 << 20;  // metadata with the vocabulary

/// One tensor of the file. Value c of a row is value columns[c] of the row of `values` that begins
/// at source_row(row).
struct Plan {
  GgufTensorSpec spec;
  NamedShape values;                                     ///< as the safetensors model has it
  std::vector<std::int64_t> columns;                     ///< empty = in order
  std::function<std::int64_t(std::int64_t)> source_row;  ///< empty = one behind the other
};

DType parse_type(const std::string& name, DType fallback) {
  if (name.empty()) {
    return fallback;
  }
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  std::string names;
  for (const GgmlType& type : ggml_types()) {
    if (!type.dtype || !can_quantize(*type.dtype)) {
      continue;
    }
    if (type.name == upper) {
      return *type.dtype;
    }
    names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  throw Error(ErrorCode::kUsage,
              "type '" + escape_for_message(name) + "' cannot be written; use one of " + names);
}

/// Columns of a patch: channel by channel in the file, pixel by pixel in the model.
std::vector<std::int64_t> channels_first(const VisionConfig& vision) {
  const std::int64_t side = vision.model_patch_size();
  std::vector<std::int64_t> columns;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t pixel = 0; pixel < side * side; ++pixel) {
      columns.push_back(pixel * 3 + channel);
    }
  }
  return columns;
}

/// Vectors and what embeds pictures are F32 in published files, except the patch matrix of F16
/// ones.
DType type_of(const NamedShape& tensor, DType matrices) {
  const std::string_view name = tensor.name;
  if (tensor.shape.size() == 1 || name.ends_with("pos_embedding") ||
      (name.ends_with("patch_dense.weight") && matrices != DType::kF16)) {
    return DType::kF32;
  }
  return tensor.shape.back() % block_size(matrices) == 0 ? matrices : DType::kF16;
}

Plan make_plan(const NamedShape& tensor, const ModelConfig& config, DType matrices) {
  Plan plan;
  plan.values = tensor;
  plan.spec = {gguf_name(tensor.name), type_of(tensor, matrices), tensor.shape};
  const std::int64_t width = tensor.shape.back();
  if (tensor.name.ends_with("pos_embedding")) {
    const std::int64_t rows = tensor.shape[0];
    plan.spec.shape = {2, rows, width};
    plan.source_row = [rows, width](std::int64_t row) {
      return (row % rows * 2 + row / rows) * width;
    };
  } else if (tensor.name.find("patch_dense.weight") != std::string::npos ||
             tensor.name.find("patch_ln1.") != std::string::npos) {
    plan.columns = channels_first(*config.vision);
  }
  return plan;
}

class ModelWriter {
 public:
  ModelWriter(const SynthesizeOptions& options, DType source, std::int64_t total_bytes)
      : options_(options), source_(source), total_bytes_(total_bytes), pool_(0) {}

  void write(const std::filesystem::path& file, const GgufMetadata& keys,
             const std::vector<Plan>& plans, const std::vector<float>& rope_freqs) {
    std::vector<GgufTensorSpec> specs;
    if (!rope_freqs.empty()) {
      specs.push_back(
          {std::string(kRopeFreqs), DType::kF32, {static_cast<std::int64_t>(rope_freqs.size())}});
    }
    for (const Plan& plan : plans) {
      specs.push_back(plan.spec);
    }
    GgufWriter writer(file, keys, specs);
    if (!rope_freqs.empty()) {
      writer.append(std::as_bytes(std::span(rope_freqs)));
    }
    for (const Plan& plan : plans) {
      write_tensor(plan, writer);
    }
    writer.commit();
  }

 private:
  void write_tensor(const Plan& plan, GgufWriter& writer) {
    const std::int64_t width = plan.spec.shape.back();
    const std::int64_t row_size = row_bytes(plan.spec.dtype, width);
    const std::int64_t rows = gguf_tensor_bytes(plan.spec) / row_size;
    const std::int64_t chunk_rows = std::max<std::int64_t>(1, kChunkBytes / row_size);
    const std::int64_t grain = std::max<std::int64_t>(1, kGrainBytes / row_size);
    std::vector<std::byte> chunk;
    for (std::int64_t begin = 0; begin < rows; begin += chunk_rows) {
      const std::int64_t count = std::min(chunk_rows, rows - begin);
      chunk.resize(static_cast<std::size_t>(count * row_size));
      pool_.parallel_for(count, grain, [&](std::int64_t from, std::int64_t to) {
        make_rows(plan, begin + from, begin + to,
                  std::span(chunk).subspan(static_cast<std::size_t>(from * row_size),
                                           static_cast<std::size_t>((to - from) * row_size)));
      });
      writer.append(chunk);
      written_bytes_ += count * row_size;
      if (options_.progress) {
        options_.progress(static_cast<double>(written_bytes_) / static_cast<double>(total_bytes_));
      }
    }
  }

  /// Rows [first, last). Values that lie behind each other are drawn in one go.
  void make_rows(const Plan& plan, std::int64_t first, std::int64_t last,
                 std::span<std::byte> out) const {
    const auto width = static_cast<std::size_t>(plan.spec.shape.back());
    const std::size_t stored_size = width * static_cast<std::size_t>(row_bytes(source_, 1));
    const std::size_t row_size = out.size() / static_cast<std::size_t>(last - first);
    const std::int64_t together = plan.source_row ? 1 : last - first;
    std::vector<std::byte> stored(static_cast<std::size_t>(together) * stored_size);
    std::vector<float> values(width);
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t in_stored = (row - first) % together;
      if (in_stored == 0) {
        const std::int64_t begin =
            plan.source_row ? plan.source_row(row) : row * static_cast<std::int64_t>(width);
        fill_synthetic(plan.values.name, options_.seed, synthetic_distribution(plan.values),
                       source_, begin, stored);
      }
      const auto offset = static_cast<std::size_t>(in_stored) * width;
      for (std::size_t c = 0; c < width; ++c) {
        const auto column = plan.columns.empty() ? c : static_cast<std::size_t>(plan.columns[c]);
        values[c] = load(stored, offset + column);
      }
      quantize_row(plan.spec.dtype, values,
                   out.subspan(static_cast<std::size_t>(row - first) * row_size, row_size));
    }
  }

  [[nodiscard]] float load(std::span<const std::byte> stored, std::size_t index) const {
    if (source_ == DType::kF32) {
      float value = 0.0F;
      std::memcpy(&value, &stored[index * sizeof(value)], sizeof(value));
      return value;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, &stored[index * sizeof(bits)], sizeof(bits));
    return source_ == DType::kF16 ? to_float(F16{bits}) : to_float(Bf16{bits});
  }

  const SynthesizeOptions& options_;
  DType source_;
  std::int64_t total_bytes_;
  std::int64_t written_bytes_ = 0;
  ThreadPool pool_;
};

void check_free_space(const std::filesystem::path& directory, std::int64_t weight_bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(directory, error);
  const std::int64_t needed = weight_bytes + kHeadBytes;
  if (!error && space.available < static_cast<std::uintmax_t>(needed)) {
    throw Error(ErrorCode::kResource, "the model needs " + std::to_string(needed) + " bytes in " +
                                          quoted_path(directory) + ", but only " +
                                          std::to_string(space.available) +
                                          " are free; free some space, or ask for fewer layers");
  }
}

}  // namespace

void synthesize_gguf(const ModelConfig& config, const SynthesizeOptions& options, DType source,
                     OutputDirectory& out) {
  check_gguf_can_describe(config);
  const DType type = parse_type(options.type, source);
  std::vector<Plan> text;
  std::vector<Plan> mmproj;
  std::int64_t total_bytes = 0;
  for (const NamedShape& tensor : tensor_specs(config)) {
    Plan plan = make_plan(tensor, config, type);
    total_bytes += gguf_tensor_bytes(plan.spec);
    const bool is_media = tensor.name.find("embed_vision") != std::string::npos ||
                          tensor.name.find("embed_audio") != std::string::npos ||
                          tensor.name.find("vision_embedder") != std::string::npos;
    (is_media ? mmproj : text).push_back(std::move(plan));
  }
  check_free_space(out.path(), total_bytes);
  ModelWriter writer(options, source, total_bytes);
  const std::string ending = "-" + std::string(dtype_name(type)) + ".gguf";
  // The language model last: without it the directory is no model.
  if (!mmproj.empty()) {
    writer.write(out.add("mmproj" + ending), synthetic_mmproj_keys(config, type), mmproj, {});
  }
  writer.write(out.add("model" + ending), synthetic_text_keys(config, type), text,
               synthetic_rope_freqs(config.text));
}

}  // namespace nolens
