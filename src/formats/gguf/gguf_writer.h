// Writes GGUF files (version 3, little-endian), tensor by tensor, without holding them in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "formats/gguf/gguf_value.h"

namespace nolens {

/// The key-value pairs of a file, in the order they were added. Keys must be unique.
class GgufMetadata {
 public:
  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_text(std::string_view key, std::string_view value);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_bools(std::string_view key, const std::vector<bool>& values);
  void add_texts(std::string_view key, std::span<const std::string> values);
  /// A value of another file, bit for bit.
  void add_copy(std::string_view key, const GgufValue& value);

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  void add_key(std::string_view key, GgufType type);
  void add_array(std::string_view key, GgufType type, std::size_t count);

  std::uint64_t count_ = 0;
  std::string bytes_;
};

struct GgufTensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  ///< slowest first; the last is a multiple of the block size
};

/// A file of metadata alone, with at most one tensor: F32 [values.size()]. \param tensor  its name; empty
/// = none
[[nodiscard]] std::string gguf_bytes(const GgufMetadata& metadata, std::string_view tensor = {},
                                     std::span<const float> values = {});

/// Bytes of a tensor. \throws Error{kUsage} for a shape that does not fit the type
[[nodiscard]] std::int64_t gguf_tensor_bytes(const GgufTensorSpec& spec);

/// Usage: construct with everything but the data, append the data of each tensor in that order (in
/// any number of pieces that do not reach across tensors), then commit(). Without commit() nothing
/// is left on disk.
class GgufWriter {
 public:
  /// \throws Error{kUsage, kResource}
  GgufWriter(const std::filesystem::path& file, const GgufMetadata& metadata,
             const std::vector<GgufTensorSpec>& tensors);
  ~GgufWriter();
  void append(std::span<const std::byte> bytes);
  /// \throws Error{kInternal} if fewer or more bytes were appended than the specs announce
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
