// The GGUF files of one model: a single file, or all parts of a split one.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf_file.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/tensor_store.h"
#include "platform/mapped_file.h"

namespace nolens {

class GgufSet {
 public:
  /// Maps `path` and, if it is the first of several parts (NAME-00001-of-0000N.gguf), the others
  /// beside it. \throws Error{kModel} naming the part that is missing, or that belongs to another
  /// model.
  static GgufSet open(const std::filesystem::path& path);

  /// A single file that is already in memory; `bytes` must outlive the set.
  static GgufSet from_bytes(std::span<const std::byte> bytes, const std::string& name);

  /// The metadata of a model whose tensors are elsewhere: find_tensor() knows `tensors` by name and shape
  /// only. \param bytes  a whole file, which may hold tensors of its own; must outlive the set
  /// \param tensors  names and shapes as GGUF files have them
  static GgufSet from_metadata(std::span<const std::byte> bytes, const std::string& name,
                               const std::vector<GgufTensorSpec>& tensors);

  /// The file with the metadata.
  [[nodiscard]] const GgufFile& first() const noexcept { return parts_.front().file; }
  [[nodiscard]] std::size_t size() const noexcept { return parts_.size(); }
  [[nodiscard]] const GgufFile& part(std::size_t index) const { return parts_.at(index).file; }
  /// nullptr if no part has it.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const noexcept;
  /// The values of an F32 tensor, empty if there is no such tensor of that type.
  [[nodiscard]] std::vector<float> find_floats(std::string_view name) const;

 private:
  struct Part {
    MappedFile mapped;
    GgufFile file;
  };
  void add(const std::filesystem::path& path);
  void check_split() const;

  std::vector<Part> parts_;
  std::shared_ptr<const std::vector<std::string>> elsewhere_names_;
  std::vector<GgufTensor> elsewhere_;  ///< without data
};

/// True for the name of a part other than the first.
[[nodiscard]] bool is_later_gguf_part(std::string_view file_name);

/// The tensors of several sets under their Hugging Face names, in place. The store keeps the sets.
/// \throws Error{kModel} naming a tensor whose type is not computed with
TensorStore gguf_tensor_store(std::vector<std::shared_ptr<const GgufSet>> sets);

}  // namespace nolens
