// Writes safetensors files, tensor by tensor, without holding them in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace nolens {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;  ///< kF32, kF16 or kBf16
  std::vector<std::int64_t> shape;
};

/// Better to say so now than after an hour of writing. \throws Error{kResource} if the file's folder has
/// fewer bytes free
void check_free_space(const std::filesystem::path& file, std::int64_t needed);

/// Usage: construct with all specs, then append the data of each in that order (in any number of
/// pieces), then commit(). Without commit() nothing is left on disk.
class SafetensorsWriter {
 public:
  /// \throws Error{kUsage, kResource}
  SafetensorsWriter(const std::filesystem::path& file, std::vector<TensorSpec> specs,
                    const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsWriter();
  void append(std::span<const std::byte> bytes);
  /// \throws Error{kInternal} if fewer or more bytes were appended than the specs announce.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
