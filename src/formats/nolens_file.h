// Reads .nolens files: one safetensors file with a whole model, whose weights lie as products read
// them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bitsandbytes.h"
#include "formats/nolens_tensors.h"
#include "formats/safetensors.h"
#include "formats/tensor_store.h"
#include "platform/mapped_file.h"

namespace nolens {

/// Every size and position was proven to fit the file, and the header has the checksum it should
/// have. The data is not read: verify() does that.
class NolensFile {
 public:
  /// Maps the file. \throws Error{kModel}
  static std::shared_ptr<const NolensFile> open(const std::filesystem::path& path);
  /// \param file  all bytes of a file, aligned to 64; must outlive the result
  /// \param name  begins every message
  /// \throws Error{kModel} for any departure from docs/formats.md, ".nolens files"
  static std::shared_ptr<const NolensFile> parse(std::span<const std::byte> file,
                                                 const std::string& name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// An entry of the metadata such as "config.json", without "nolens." before it; "" if it is not
  /// there.
  [[nodiscard]] const std::string& text(std::string_view key) const noexcept;
  /// The bytes of a tensor of the file's own, such as kNolensTokenizer; empty if it is not there.
  [[nodiscard]] std::string_view document(std::string_view tensor) const noexcept;
  /// The model's tensors, sorted by name.
  [[nodiscard]] const std::vector<TensorView>& tensors() const noexcept { return tensors_; }

  /// Called with the share done, 0 … 1. May throw to stop.
  using Progress = std::function<void(double fraction)>;
  /// Reads everything and compares it with its checksums. \throws Error{kModel} naming the first
  /// tensor that was changed
  void verify(const Progress& progress) const;

 private:
  explicit NolensFile(std::string name) : name_(std::move(name)) {}
  void read(std::span<const std::byte> file);

  std::string name_;
  MappedFile mapped_;
  std::span<const std::byte> bytes_;
  std::vector<SafetensorsEntry> entries_;  ///< in order of their data
  std::map<std::string, std::string, std::less<>> texts_;
  std::vector<TensorView> tensors_;
  ScalesList scales_;
};

/// The model's tensors in place. The store keeps the file.
[[nodiscard]] TensorStore nolens_tensor_store(std::shared_ptr<const NolensFile> file);

}  // namespace nolens
