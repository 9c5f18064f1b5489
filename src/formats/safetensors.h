// Reads the header of a safetensors file. A pure function over bytes: the fuzzer's entry.
//
// Format: u64 little-endian header length, JSON header, data. The rules are those of the Rust
// reference loader (no gaps, no overlaps, the last tensor ends the file) plus limits of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace nolens {

inline constexpr std::int64_t kMaxSafetensorsHeaderBytes = 100'000'000;
inline constexpr std::size_t kMaxSafetensorsTensors = 200'000;
inline constexpr std::size_t kMaxTensorDims = 8;
inline constexpr std::size_t kMaxTensorNameBytes = 1024;

/// One tensor of a header. [begin, end) are byte offsets from the start of the file, proven to lie
/// inside it and to hold exactly the product of `shape` elements.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;            ///< as written, such as "BF16"
  std::optional<DType> usable;  ///< empty for known types the engine does not compute with
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  ///< in order of their data
  std::map<std::string, std::string> metadata;
};

/// \param file  all bytes of the file
/// \param name  file name, for messages
/// \throws Error{kModel} for any departure from the format.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& name);

}  // namespace nolens
