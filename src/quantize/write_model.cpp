// Order of the file: documents and small tensors, then matrices, then scales beside them.
#include "quantize/write_model.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "core/check.h"
#include "core/checked_math.h"
#include "formats/nolens_tensors.h"
#include "quantize/block_codes.h"
#include "quantize/codebooks.h"
#include "quantize/convert_tensor.h"
#include "quantize/nolens_writer.h"
#include "quantize/pack_panels.h"

namespace nolens {
namespace {

/// Larger tensors are matrices, whose place matters.
constexpr std::int64_t kSmallBytes = 64 << 10;
constexpr std::int64_t kFloatBytes = 4;
constexpr std::int64_t kLineBytes = 64;
constexpr std::int64_t kPageBytes = 4096;
/// The first matrix begins where a large page can, if large pages are worth their padding.
constexpr std::int64_t kLargePageBytes = std::int64_t{2} << 20;
constexpr std::int64_t kLargeModelBytes = std::int64_t{64} << 20;

/// Rows of codebooks, each once.
template <std::size_t kSize>
class CodebookTable {
 public:
  std::int64_t add(const std::array<float, kSize>& codebook) {
    const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const auto& row) {
      // By bits: +0 and -0 are different entries.
      return std::memcmp(row.data(), codebook.data(), sizeof(codebook)) == 0;
    });
    if (found == rows_.end()) {
      rows_.push_back(codebook);
      return static_cast<std::int64_t>(rows_.size()) - 1;
    }
    return found - rows_.begin();
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return std::as_bytes(std::span(rows_)); }
  [[nodiscard]] std::vector<std::int64_t> shape() const {
    return {static_cast<std::int64_t>(rows_.size()), static_cast<std::int64_t>(kSize)};
  }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::array<float, kSize>> rows_;
};

NolensEntry entry(std::string name, std::string dtype, std::vector<std::int64_t> shape,
                  std::int64_t bytes) {
  return {std::move(name), std::move(dtype), std::move(shape), bytes,
          bytes >= kPageBytes ? kLineBytes : 1};
}

class ModelWriter {
 public:
  ModelWriter(const std::vector<TensorPlan>& plans, const ModelDocuments& documents)
      : plans_(plans), documents_(documents) {
    for (const TensorPlan& plan : plans) {
      describe(plan);
      (is_small(plan) ? small_ : large_).push_back(&plan);
    }
    std::stable_sort(small_.begin(), small_.end(), [](const TensorPlan* a, const TensorPlan* b) {
      return a->source->bytes > b->source->bytes;  // so that all keep their alignment
    });
  }

  std::int64_t write(const std::filesystem::path& file, ThreadPool& pool,
                     const WriteOptions& options) {
    std::map<std::string, std::string> metadata = {
        {"format", "pt"},  // what transformers asks of a safetensors file
        {"nolens.version", std::string(kNolensVersion)},
        {"nolens.layout", std::string(kNolensLayout)},
        {"nolens.tensors", nolens_tensors_to_json(described_)}};
    for (const auto& [key, value] : documents_.texts) {
      metadata.emplace("nolens." + key, value);
    }
    NolensWriter writer(file, entries(), metadata);
    write_head(writer);
    write_tensors(writer, pool, options);
    write_scales(writer);
    writer.commit();
    return writer.file_bytes();
  }

 private:
  static bool is_small(const TensorPlan& plan) {
    return plan.conversion == Conversion::kCopy && plan.source->bytes < kSmallBytes;
  }

  /// An entry of "nolens.tensors" for what safetensors has no type for.
  void describe(const TensorPlan& plan) {
    if (is_plain(plan.dtype)) {
      return;
    }
    const WeightMatrix source = matrix_of(*plan.source);
    NolensTensor tensor;
    tensor.dtype = plan.dtype;
    tensor.shape = {source.rows, source.cols};
    tensor.layout =
        plan.conversion == Conversion::kCopy ? WeightLayout::kRows : WeightLayout::kPanels;
    if (plan.dtype == DType::kNf4 || plan.dtype == DType::kFp4) {
      describe_scales(plan, tensor);
    }
    NOLENS_CHECK(described_.emplace(plan.name, std::move(tensor)).second);
  }

  void describe_scales(const TensorPlan& plan, NolensTensor& tensor) {
    if (plan.conversion == Conversion::kRound) {
      tensor.codebook = codebooks_.add(codebook_of(plan.dtype));
      tensor.block_size = kCodeBlock;
      tensor.value_dtype = DType::kF32;
      tensor.nested_block_size = plan.nested ? kNestedBlock : 0;
      tensor.nested_codebook = plan.nested ? nested_codebooks_.add(dynamic_codebook()) : -1;
      return;
    }
    const WeightScales& scales = *plan.source->scales;
    tensor.codebook = codebooks_.add(scales.codebook);
    tensor.block_size = tensor.layout == WeightLayout::kPanels ? kCodeBlock : scales.block_size;
    tensor.value_dtype = scales.value_dtype;
    if (plan.nested) {
      tensor.nested_codebook = nested_codebooks_.add(scales.nested_codebook);
      tensor.nested_block_size = scales.nested_block_size;
    }
  }

  /// Of a tensor's data.
  static NolensEntry entry_of(const TensorPlan& plan) {
    const std::int64_t bytes = converted_bytes(plan);
    if (is_plain(plan.dtype)) {
      return entry(plan.name, std::string(dtype_name(plan.dtype)), plan.source->shape, bytes);
    }
    return entry(plan.name, "U8", {bytes}, bytes);
  }

  std::vector<NolensEntry> entries() const {
    std::vector<NolensEntry> all;
    for (const auto& [name, bytes] : documents_.files) {
      const auto size = static_cast<std::int64_t>(bytes.size());
      all.push_back(entry(name, "U8", {size}, size));
    }
    if (!codebooks_.empty()) {
      all.push_back(entry(std::string(kNolensCodebooks), "F32", codebooks_.shape(),
                          static_cast<std::int64_t>(codebooks_.bytes().size())));
      all.back().alignment = kLineBytes;
    }
    if (!nested_codebooks_.empty()) {
      all.push_back(entry(std::string(kNolensNestedCodebooks), "F32", nested_codebooks_.shape(),
                          static_cast<std::int64_t>(nested_codebooks_.bytes().size())));
    }
    for (const TensorPlan* plan : small_) {
      all.push_back(entry_of(*plan));
    }
    if (!small_.empty()) {
      all[all.size() - small_.size()].alignment = kLineBytes;
    }
    const std::size_t first = all.size();
    std::int64_t matrices = 0;
    for (const TensorPlan* plan : large_) {
      all.push_back(entry_of(*plan));
      all.back().alignment = kPageBytes;
      matrices += all.back().bytes;
    }
    if (matrices >= kLargeModelBytes) {
      all[first].alignment = kLargePageBytes;
    }
    add_scale_entries(all);
    return all;
  }

  void add_scale_entries(std::vector<NolensEntry>& all) const {
    for (const TensorPlan* plan : in_file_order()) {
      if (const auto absmax = absmax_beside(*plan); !absmax.empty()) {
        const auto bytes = static_cast<std::int64_t>(absmax.size());
        const bool is_float = !plan->nested;
        all.push_back(entry(plan->name + std::string(kAbsmaxSuffix), is_float ? "F32" : "U8",
                            {is_float ? bytes / 4 : bytes}, bytes));
        all.back().alignment = is_float ? kFloatBytes : 1;
      }
      if (plan->nested) {
        const std::int64_t count = nested_count(*plan);
        all.push_back(
            entry(plan->name + std::string(kNestedAbsmaxSuffix), "F32", {count}, count * 4));
        all.back().alignment = kFloatBytes;
      }
    }
  }

  /// With the offset.
  [[nodiscard]] std::int64_t nested_count(const TensorPlan& plan) const {
    const NolensTensor& tensor = described_.at(plan.name);
    const std::int64_t blocks = ceil_div(tensor.shape[0] * tensor.shape[1], tensor.block_size);
    return ceil_div(blocks, tensor.nested_block_size) + 1;
  }

  /// Scales of weights that stay in rows.
  static std::span<const std::byte> absmax_beside(const TensorPlan& plan) {
    if (plan.conversion != Conversion::kCopy || !needs_scales(plan.dtype)) {
      return {};
    }
    const WeightScales& scales = *plan.source->scales;
    const WeightMatrix source = matrix_of(*plan.source);
    const std::int64_t count = plan.dtype == DType::kInt8
                                   ? source.rows
                                   : ceil_div(source.rows * source.cols, scales.block_size);
    return std::as_bytes(
        std::span(scales.absmax, static_cast<std::size_t>(scales.nested ? count : count * 4)));
  }

  [[nodiscard]] std::vector<const TensorPlan*> in_file_order() const {
    std::vector<const TensorPlan*> all = small_;
    all.insert(all.end(), large_.begin(), large_.end());
    return all;
  }

  void write_head(NolensWriter& writer) const {
    for (const auto& [name, bytes] : documents_.files) {
      writer.append(std::as_bytes(std::span(bytes)));
    }
    if (!codebooks_.empty()) {
      writer.append(codebooks_.bytes());
    }
    if (!nested_codebooks_.empty()) {
      writer.append(nested_codebooks_.bytes());
    }
  }

  void write_tensors(NolensWriter& writer, ThreadPool& pool, const WriteOptions& options) {
    std::int64_t total = 1;
    std::int64_t done = 0;
    for (const TensorPlan& plan : plans_) {
      total += plan.source->bytes;
    }
    ConvertOptions convert{
        options.release_sources, [&](std::int64_t bytes) {
          done += bytes;
          if (options.progress) {
            options.progress(static_cast<double>(done) / static_cast<double>(total));
          }
        }};
    for (const TensorPlan* plan : in_file_order()) {
      nested_.push_back(convert_tensor(
          *plan, pool, convert, [&](std::span<const std::byte> bytes) { writer.append(bytes); }));
    }
  }

  void write_scales(NolensWriter& writer) const {
    const auto order = in_file_order();
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (const auto absmax = absmax_beside(*order[i]); !absmax.empty()) {
        writer.append(absmax);
      }
      if (!nested_[i].empty()) {
        writer.append(std::as_bytes(std::span(nested_[i])));
      }
    }
  }

  const std::vector<TensorPlan>& plans_;
  const ModelDocuments& documents_;
  NolensTensors described_;
  CodebookTable<16> codebooks_;
  CodebookTable<256> nested_codebooks_;
  std::vector<const TensorPlan*> small_;
  std::vector<const TensorPlan*> large_;
  std::vector<std::vector<float>> nested_;  ///< in file order
};

}  // namespace

std::int64_t write_model(const std::filesystem::path& file, const std::vector<TensorPlan>& plans,
                         const ModelDocuments& documents, ThreadPool& pool,
                         const WriteOptions& options) {
  return ModelWriter(plans, documents).write(file, pool, options);
}

}  // namespace nolens
