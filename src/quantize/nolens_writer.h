// Writes .nolens files tensor by tensor, without holding them in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nolens {

/// A tensor as safetensors sees it.
struct NolensEntry {
  std::string name;
  std::string dtype;  ///< "U8", "F32", …
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;
  std::int64_t alignment = 1;  ///< of its first byte in the file
};

/// Usage: construct with all entries, append the data of each in that order (in any number of
/// pieces that do not reach across tensors), then commit(). Padding and checksums are added.
/// Without commit() nothing is left under the file's name.
class NolensWriter {
 public:
  /// \throws Error{kUsage, kResource}
  NolensWriter(const std::filesystem::path& file, const std::vector<NolensEntry>& entries,
               const std::map<std::string, std::string>& metadata);
  ~NolensWriter();
  void append(std::span<const std::byte> bytes);
  /// \throws Error{kInternal} if fewer or more bytes were appended than the entries announce
  void commit();
  /// Of the whole file.
  [[nodiscard]] std::int64_t file_bytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
