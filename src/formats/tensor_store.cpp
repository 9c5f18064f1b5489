// Maps one safetensors file or all shards of a directory.
#include "formats/tensor_store.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/escape.h"
#include "formats/bitsandbytes.h"
#include "formats/json.h"
#include "formats/model_directory.h"
#include "formats/safetensors.h"
#include "platform/mapped_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 64U << 20U;
constexpr std::size_t kMaxShards = 4096;

template <typename T>
void sort_by_name(std::vector<T>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const T& a, const T& b) { return a.name < b.name; });
}

/// tensor name -> shard name, from the "weight_map" of an index.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& directory) {
  const std::string text =
      read_file(model_file(directory, kIndexFile), kMaxIndexBytes, ErrorCode::kModel);
  const Json index = parse_json(text, kIndexFile, ErrorCode::kModel);
  const auto found = index.is_object() ? index.find("weight_map") : index.end();
  if (found == index.end() || !found->is_object() || found->empty()) {
    throw Error(ErrorCode::kModel, std::string(kIndexFile) +
                                       ": expected an object with a \"weight_map\" from tensor "
                                       "names to shard files");
  }
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, shard] : found->items()) {
    if (!shard.is_string()) {
      throw Error(ErrorCode::kModel, std::string(kIndexFile) + ": weight_map entry '" +
                                         escape_for_message(tensor) + "' must be a file name");
    }
    weight_map.emplace(tensor, shard.get<std::string>());
  }
  return weight_map;
}

}  // namespace

struct TensorStore::Impl {
  std::vector<MappedFile> files;
  std::shared_ptr<const void> owner;  // of views that lead elsewhere
  ScalesList scales;
  std::vector<TensorView> tensors;
  std::vector<RawTensor> raw;  // of types the engine does not compute with, until resolve()
  std::vector<IgnoredTensor> ignored;
  std::int64_t total_bytes = 0;

  void add(const std::filesystem::path& path) {
    const std::string name = escape_for_message(path.filename().native());
    files.emplace_back(path, ErrorCode::kModel);
    const std::span<const std::byte> bytes = files.back().bytes();
    SafetensorsHeader header = parse_safetensors_header(bytes, name);
    for (SafetensorsEntry& entry : header.tensors) {
      const std::int64_t size = entry.end - entry.begin;
      if (!entry.usable) {
        raw.push_back({std::move(entry.name), std::move(entry.dtype), std::move(entry.shape),
                       bytes.data() + entry.begin, size, name});
        continue;
      }
      tensors.push_back({std::move(entry.name), *entry.usable, std::move(entry.shape),
                         bytes.data() + entry.begin, size, name});
    }
  }

  /// To be called once, when all files were added.
  void finish() {
    sort_by_name(tensors);
    sort_by_name(raw);
    sort_by_name(ignored);
    const auto twice =
        std::adjacent_find(tensors.begin(), tensors.end(),
                           [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors.end()) {
      throw Error(ErrorCode::kModel, "tensor '" + escape_for_message(twice->name) +
                                         "' is in two shards: " + twice->file + " and " +
                                         std::next(twice)->file);
    }
  }

  /// To be called last: quantised weights become one tensor each.
  void resolve() {
    scales = resolve_bitsandbytes(tensors, raw);
    sort_by_name(tensors);
    for (RawTensor& tensor : raw) {
      ignored.push_back(
          {std::move(tensor.name), std::move(tensor.dtype), std::move(tensor.file)});
    }
    raw.clear();
    total_bytes = 0;
    for (const TensorView& tensor : tensors) {
      total_bytes += tensor.bytes;
    }
  }

  [[nodiscard]] const TensorView* find(std::string_view name) const noexcept {
    const auto found = std::lower_bound(
        tensors.begin(), tensors.end(), name,
        [](const TensorView& tensor, std::string_view key) { return tensor.name < key; });
    return found != tensors.end() && found->name == name ? &*found : nullptr;
  }

  /// Every tensor must be in the shard that the index says.
  void check_against(const std::map<std::string, std::string>& weight_map) const {
    for (const auto& [tensor, shard] : weight_map) {
      const std::string* file = find_file(tensor);
      if (file == nullptr || *file != escape_for_message(shard)) {
        throw Error(ErrorCode::kModel, escape_for_message(shard) + ": has no tensor '" +
                                           escape_for_message(tensor) + "', although " +
                                           kIndexFile + " says so" +
                                           (file == nullptr ? "" : "; it is in " + *file) +
                                           "; download the shards again");
      }
    }
  }

  /// The file that holds a tensor, of whatever type; nullptr if none does.
  [[nodiscard]] const std::string* find_file(const std::string& name) const noexcept {
    if (const TensorView* found = find(name); found != nullptr) {
      return &found->file;
    }
    const auto other = std::lower_bound(
        raw.begin(), raw.end(), name,
        [](const RawTensor& tensor, const std::string& key) { return tensor.name < key; });
    return other != raw.end() && other->name == name ? &other->file : nullptr;
  }
};

TensorStore::TensorStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TensorStore::~TensorStore() = default;
TensorStore::TensorStore(TensorStore&&) noexcept = default;
TensorStore& TensorStore::operator=(TensorStore&&) noexcept = default;

TensorStore TensorStore::open_file(const std::filesystem::path& file) {
  auto impl = std::make_unique<Impl>();
  impl->add(file);
  impl->finish();
  impl->resolve();
  return TensorStore(std::move(impl));
}

TensorStore TensorStore::from_views(std::vector<TensorView> tensors,
                                    std::vector<IgnoredTensor> ignored,
                                    std::shared_ptr<const void> owner) {
  auto impl = std::make_unique<Impl>();
  impl->tensors = std::move(tensors);
  impl->ignored = std::move(ignored);
  impl->owner = std::move(owner);
  for (const TensorView& tensor : impl->tensors) {
    impl->total_bytes += tensor.bytes;
  }
  impl->finish();
  return TensorStore(std::move(impl));
}

TensorStore TensorStore::open_directory(const std::filesystem::path& directory) {
  std::error_code error;
  const std::filesystem::path single = model_file(directory, kSingleFile);
  if (std::filesystem::exists(single, error) ||
      !std::filesystem::exists(directory / kIndexFile, error)) {
    return open_file(single);
  }
  const auto weight_map = read_weight_map(directory);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : weight_map) {
    shards.insert(shard);
  }
  if (shards.size() > kMaxShards) {
    throw Error(ErrorCode::kModel, std::string(kIndexFile) + ": names " +
                                       std::to_string(shards.size()) + " shards, at most " +
                                       std::to_string(kMaxShards) + " are accepted");
  }
  auto impl = std::make_unique<Impl>();
  for (const std::string& shard : shards) {
    const std::filesystem::path path = model_file(directory, shard);
    if (!std::filesystem::exists(path, error)) {
      throw Error(ErrorCode::kModel, quoted_path(directory) + ": shard '" +
                                         escape_for_message(shard) + "' is missing, which " +
                                         kIndexFile + " names; download it");
    }
    impl->add(path);
  }
  impl->finish();
  impl->check_against(weight_map);
  impl->resolve();
  return TensorStore(std::move(impl));
}

const TensorView* TensorStore::find(std::string_view name) const noexcept {
  return impl_->find(name);
}
const std::vector<TensorView>& TensorStore::tensors() const noexcept {
  return impl_->tensors;
}
const std::vector<IgnoredTensor>& TensorStore::ignored() const noexcept {
  return impl_->ignored;
}
std::int64_t TensorStore::total_bytes() const noexcept {
  return impl_->total_bytes;
}

}  // namespace nolens
