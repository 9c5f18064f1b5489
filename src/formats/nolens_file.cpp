// safetensors proves that tensors tile the file; here each is compared with its description.
#include "formats/nolens_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "nolens/error.h"

#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/checksum.h"
#include "platform/release_pages.h"

namespace nolens {
namespace {

constexpr std::string_view kKeyPrefix = "nolens.";
constexpr std::size_t kSumBytes = 8;

using Entries = std::map<std::string_view, const SafetensorsEntry*>;

class Resolver {
 public:
  Resolver(std::span<const std::byte> bytes, const std::string& file,
           const std::vector<SafetensorsEntry>& entries, const NolensTensors& described)
      : bytes_(bytes), file_(file), described_(described) {
    for (const SafetensorsEntry& entry : entries) {
      by_name_.emplace(entry.name, &entry);
    }
  }

  std::vector<TensorView> run(const std::vector<SafetensorsEntry>& entries, ScalesList& scales) {
    std::vector<TensorView> views;
    for (const auto& [name, tensor] : described_) {
      views.push_back(resolve(name, tensor, scales));
    }
    for (const SafetensorsEntry& entry : entries) {
      if (entry.usable && !used_.contains(entry.name) && !entry.name.starts_with(kNolensPrefix)) {
        views.push_back({entry.name, *entry.usable, entry.shape, at(entry), size_of(entry), file_});
      }
    }
    std::sort(views.begin(), views.end(),
              [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
    return views;
  }

 private:
  [[noreturn]] void refuse(std::string_view tensor, const std::string& what) const {
    throw Error(ErrorCode::kModel, file_ + ": tensor '" + escape_for_message(tensor) + "' " + what +
                                       "; the file is damaged, quantise the model again");
  }
  [[nodiscard]] const std::byte* at(const SafetensorsEntry& entry) const noexcept {
    return bytes_.data() + entry.begin;
  }
  static std::int64_t size_of(const SafetensorsEntry& entry) noexcept {
    return entry.end - entry.begin;
  }

  const SafetensorsEntry& require(const std::string& name, std::string_view dtype,
                                  std::int64_t bytes) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) {
      refuse(name, "is missing");
    }
    const SafetensorsEntry& entry = *found->second;
    if (entry.dtype != dtype || size_of(entry) != bytes) {
      refuse(name, "must be " + std::string(dtype) + " with " + std::to_string(bytes) +
                       " bytes, found " + entry.dtype + " with " + std::to_string(size_of(entry)));
    }
    used_.insert(entry.name);
    return entry;
  }

  template <std::size_t kSize>
  void read_codebook(std::string_view tensor, std::int64_t row,
                     std::array<float, kSize>& codebook) const {
    const auto found = by_name_.find(tensor);
    constexpr auto kBytes = static_cast<std::int64_t>(kSize * sizeof(float));
    if (found == by_name_.end() || found->second->dtype != "F32" ||
        size_of(*found->second) / kBytes <= row) {
      refuse(tensor, "must be F32 and have row " + std::to_string(row));
    }
    std::memcpy(codebook.data(), at(*found->second) + row * kBytes, sizeof(codebook));
    if (!std::all_of(codebook.begin(), codebook.end(), [](float v) { return std::isfinite(v); })) {
      refuse(tensor, "holds a value that is not finite");
    }
  }

  const unsigned char* read_bytes(const std::string& name, std::string_view dtype,
                                  std::int64_t bytes) {
    return reinterpret_cast<const unsigned char*>(at(require(name, dtype, bytes)));
  }

  std::unique_ptr<const WeightScales> read_scales(const std::string& name,
                                                  const NolensTensor& tensor) {
    auto scales = std::make_unique<WeightScales>();
    const bool in_panels = tensor.layout == WeightLayout::kPanels;
    const std::string absmax = name + std::string(kAbsmaxSuffix);
    if (tensor.dtype == DType::kInt8) {
      scales->absmax = read_bytes(absmax, "F32", tensor.shape[0] * 4);
      return scales;
    }
    read_codebook(kNolensCodebooks, tensor.codebook, scales->codebook);
    scales->block_size = tensor.block_size;
    scales->value_dtype = tensor.value_dtype;
    scales->nested = tensor.nested();
    const std::int64_t blocks = ceil_div(tensor.shape[0] * tensor.shape[1], tensor.block_size);
    if (!in_panels) {
      scales->absmax =
          scales->nested ? read_bytes(absmax, "U8", blocks) : read_bytes(absmax, "F32", blocks * 4);
    }
    if (scales->nested) {
      read_codebook(kNolensNestedCodebooks, tensor.nested_codebook, scales->nested_codebook);
      scales->nested_block_size = tensor.nested_block_size;
      const std::string name_of_scales = name + std::string(kNestedAbsmaxSuffix);
      const std::int64_t count = ceil_div(blocks, tensor.nested_block_size);
      scales->nested_absmax = read_bytes(name_of_scales, "F32", (count + 1) * 4);
      std::memcpy(&scales->nested_offset, scales->nested_absmax + count * 4, 4);
      if (!std::isfinite(scales->nested_offset)) {
        refuse(name_of_scales, "ends in an offset that is not finite");
      }
    }
    return scales;
  }

  /// Bytes of the tensor's codes.
  [[nodiscard]] std::int64_t data_bytes(const std::string& name, const NolensTensor& tensor) const {
    const std::int64_t rows = tensor.shape[0];
    const std::int64_t cols = tensor.shape[1];
    if (tensor.layout == WeightLayout::kRows) {
      return rows * row_bytes(tensor.dtype, cols);
    }
    const auto format = panel_format(tensor.dtype, tensor.nested());
    // Of NF4 and FP4; for the others the block belongs to the format.
    const auto has_block = [&] {
      return tensor.block_size == 0 || tensor.block_size == traits(*format).block;
    };
    if (!format || !fits_panels(*format, cols) || !has_block()) {
      refuse(name, "is said to be in panels, which a weight of this format and size cannot be");
    }
    return panels_bytes(*format, rows, cols);
  }

  TensorView resolve(const std::string& name, const NolensTensor& tensor, ScalesList& scales) {
    if (name.starts_with(kNolensPrefix) || name.starts_with(kNolensPadding)) {
      refuse(name, "has a name that is the file's own");
    }
    const SafetensorsEntry& entry = require(name, "U8", data_bytes(name, tensor));
    TensorView view{name, tensor.dtype, tensor.shape, at(entry), size_of(entry), file_};
    view.layout = tensor.layout;
    if (view.layout == WeightLayout::kPanels && entry.begin % kCodeVectorBytes != 0) {
      refuse(name, "must begin on a multiple of " + std::to_string(kCodeVectorBytes) + " bytes");
    }
    if (needs_scales(tensor.dtype)) {
      scales.push_back(read_scales(name, tensor));
      view.scales = scales.back().get();
    }
    return view;
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
  const NolensTensors& described_;
  Entries by_name_;
  std::set<std::string_view> used_;
};

std::uint64_t load_sum(std::span<const std::byte> sums, std::size_t index) noexcept {
  std::uint64_t sum = 0;
  std::memcpy(&sum, sums.data() + index * kSumBytes, kSumBytes);
  return sum;
}

}  // namespace

std::shared_ptr<const NolensFile> NolensFile::open(const std::filesystem::path& path) {
  // Not make_shared: the constructor is private.
  std::shared_ptr<NolensFile> file(new NolensFile(escape_for_message(path.filename().native())));
  file->mapped_ = MappedFile(path, ErrorCode::kModel);
  file->read(file->mapped_.bytes());
  return file;
}

std::shared_ptr<const NolensFile> NolensFile::parse(std::span<const std::byte> bytes,
                                                    const std::string& name) {
  std::shared_ptr<NolensFile> file(new NolensFile(name));
  file->read(bytes);
  return file;
}

void NolensFile::read(std::span<const std::byte> file) {
  bytes_ = file;
  SafetensorsHeader header = parse_safetensors_header(file, name_);
  entries_ = std::move(header.tensors);
  for (auto& [key, value] : header.metadata) {
    if (key.starts_with(kKeyPrefix)) {
      texts_.emplace(key.substr(kKeyPrefix.size()), std::move(value));
    }
  }
  const auto check_text = [&](std::string_view key, std::string_view expected) {
    const std::string& found = text(key);
    if (found.empty()) {
      throw Error(ErrorCode::kModel,
                  name_ + ": is a safetensors file, but no .nolens file (no nolens." +
                      std::string(key) + " in its metadata)");
    }
    if (found != expected) {
      throw Error(ErrorCode::kModel, name_ + ": nolens." + std::string(key) + " is '" +
                                         escape_for_message(found, 40) + "', this program reads '" +
                                         std::string(expected) +
                                         "'; quantise the model again with this version");
    }
  };
  check_text("version", kNolensVersion);
  check_text("layout", kNolensLayout);
  if (entries_.empty() || entries_.back().name != kNolensChecksums ||
      entries_.back().dtype != "U8" ||
      entries_.back().end - entries_.back().begin !=
          static_cast<std::int64_t>(entries_.size() * kSumBytes)) {
    throw Error(ErrorCode::kModel,
                name_ + ": the last tensor must be '" + std::string(kNolensChecksums) +
                    "' with 8 bytes for each tensor; the file is damaged, quantise "
                    "the model again");
  }
  const auto sums = file.subspan(static_cast<std::size_t>(entries_.back().begin));
  Checksum head;
  head.update(file.first(static_cast<std::size_t>(entries_.front().begin)));
  head.update(sums.first(sums.size() - kSumBytes));
  if (head.value() != load_sum(sums, entries_.size() - 1)) {
    throw Error(ErrorCode::kModel,
                name_ +
                    ": the header or the list of checksums was changed; copy the "
                    "file again, or quantise the model again");
  }
  const NolensTensors described = nolens_tensors_from_json(text("tensors"), name_);
  tensors_ = Resolver(bytes_, name_, entries_, described).run(entries_, scales_);
}

const std::string& NolensFile::text(std::string_view key) const noexcept {
  static const std::string kNone;
  const auto found = texts_.find(key);
  return found == texts_.end() ? kNone : found->second;
}

std::string_view NolensFile::document(std::string_view tensor) const noexcept {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const SafetensorsEntry& entry) { return entry.name == tensor; });
  if (found == entries_.end()) {
    return {};
  }
  return {reinterpret_cast<const char*>(bytes_.data()) + found->begin,
          static_cast<std::size_t>(found->end - found->begin)};
}

void NolensFile::verify(const Progress& progress) const {
  constexpr std::size_t kPiece = 16U << 20U;
  const auto sums = bytes_.subspan(static_cast<std::size_t>(entries_.back().begin));
  for (std::size_t i = 0; i + 1 < entries_.size(); ++i) {
    const SafetensorsEntry& entry = entries_[i];
    auto rest = bytes_.subspan(static_cast<std::size_t>(entry.begin),
                               static_cast<std::size_t>(entry.end - entry.begin));
    Checksum sum;
    while (!rest.empty()) {
      const auto piece = rest.first(std::min(kPiece, rest.size()));
      sum.update(piece);
      rest = rest.subspan(piece.size());
      if (!mapped_.bytes().empty()) {
        release_pages(piece);
      }
      if (progress) {
        progress(static_cast<double>(rest.data() - bytes_.data()) /
                 static_cast<double>(bytes_.size()));
      }
    }
    if (sum.value() != load_sum(sums, i)) {
      throw Error(ErrorCode::kModel,
                  name_ + ": the data of tensor '" + escape_for_message(entry.name) +
                      "' does not have its checksum; copy the file again, or quantise "
                      "the model again");
    }
  }
}

TensorStore nolens_tensor_store(std::shared_ptr<const NolensFile> file) {
  std::vector<TensorView> views = file->tensors();
  return TensorStore::from_views(std::move(views), {}, std::move(file));
}

}  // namespace nolens
