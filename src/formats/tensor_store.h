// name -> tensor over all files of a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/matrix.h"

namespace nolens {

/// A tensor as stored. `data` points into a mapped file and may be misaligned.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::int64_t bytes = 0;
  std::string file;  ///< file name, for messages
  const WeightScales* scales = nullptr;  ///< of NF4, FP4 and INT8; owned by the store
  WeightLayout layout = WeightLayout::kRows;
};

/// A tensor of a type the engine does not compute with, such as an I64 buffer.
struct IgnoredTensor {
  std::string name;
  std::string dtype;  ///< as written in the file
  std::string file;
};

/// Owns the maps. Every tensor's range and size was checked against its file.
class TensorStore {
 public:
  /// One `model.safetensors`, or the shards that `model.safetensors.index.json` names.
  /// \throws Error{kModel}
  static TensorStore open_directory(const std::filesystem::path& directory);
  static TensorStore open_file(const std::filesystem::path& file);
  /// For formats with a reader of their own. `owner` keeps alive what the views point to.
  /// \throws Error{kModel} if a name stands there twice
  static TensorStore from_views(std::vector<TensorView> tensors, std::vector<IgnoredTensor> ignored,
                                std::shared_ptr<const void> owner);
  ~TensorStore();
  TensorStore(TensorStore&&) noexcept;
  TensorStore& operator=(TensorStore&&) noexcept;

  [[nodiscard]] const TensorView* find(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<TensorView>& tensors() const noexcept;     ///< sorted by name
  [[nodiscard]] const std::vector<IgnoredTensor>& ignored() const noexcept;  ///< sorted by name
  /// Bytes of tensors(), without headers and ignored ones.
  [[nodiscard]] std::int64_t total_bytes() const noexcept;

 private:
  struct Impl;
  explicit TensorStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
