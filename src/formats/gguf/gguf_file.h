// Reads the container of a GGUF file: metadata and the list of tensors. A pure function over bytes:
// the fuzzer's entry.
//
// Versions 2 and 3, little-endian. Every count, length and offset is proven to fit the file before
// anything is sized by it; values stay where they lie, so that a vocabulary of 262,144 tokens costs
// one pass over its lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/gguf/ggml_types.h"
#include "formats/gguf/gguf_value.h"

namespace nolens {

inline constexpr std::uint64_t kMaxGgufTensors = 200'000;
inline constexpr std::uint64_t kMaxGgufKeys = 100'000;
inline constexpr std::uint64_t kMaxGgufStringBytes = 64U << 20U;
inline constexpr std::uint64_t kMaxGgufArrayItems = 16'000'000;
inline constexpr std::size_t kMaxGgufKeyBytes = 1024;
inline constexpr std::size_t kMaxGgufTensorNameBytes = 128;
inline constexpr std::uint32_t kMaxGgufDims = 4;
inline constexpr std::int64_t kDefaultGgufAlignment = 32;

/// One tensor. [begin, begin + bytes) lies inside the file, apart from all others.
struct GgufTensor {
  std::string_view name;  ///< printable ASCII without '/'
  const GgmlType* type = nullptr;
  std::vector<std::int64_t> shape;  ///< slowest first, as Hugging Face writes it: [outputs, inputs]
  std::int64_t begin = 0;           ///< from the start of the file
  std::int64_t bytes = 0;
};

/// Views of the bytes it was parsed from, which must outlive it.
class GgufFile {
 public:
  /// \param file  all bytes of the file
  /// \param name  file name, begins every message
  /// \throws Error{kModel} for any departure from the format
  static GgufFile parse(std::span<const std::byte> file, const std::string& name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
  /// In order of keys.
  [[nodiscard]] const std::vector<std::pair<std::string_view, GgufValue>>& metadata()
      const noexcept {
    return metadata_;
  }
  /// nullptr if there is no such key.
  [[nodiscard]] const GgufValue* find(std::string_view key) const noexcept;
  /// In order of their data.
  [[nodiscard]] const std::vector<GgufTensor>& tensors() const noexcept { return tensors_; }
  /// nullptr if there is no such tensor.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const noexcept;

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  std::vector<std::pair<std::string_view, GgufValue>> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<std::size_t> by_name_;  ///< indices into tensors_, sorted by name
};

}  // namespace nolens
