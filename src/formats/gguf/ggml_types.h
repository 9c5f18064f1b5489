// The number formats of GGUF files: their ids, names and block sizes, and which of them are DTypes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/dtype.h"

namespace nolens {

/// One storage unit: `values` consecutive values of a row in `bytes` bytes.
struct GgmlType {
  std::uint32_t id;
  std::string_view name;
  std::int64_t values;
  std::int64_t bytes;
  std::optional<DType> dtype;  ///< empty: the file can be read, the tensor cannot be computed with
};

/// Every type that current files may use, by id.
[[nodiscard]] std::span<const GgmlType> ggml_types() noexcept;

/// nullptr for ids that never existed or were removed from the format.
[[nodiscard]] const GgmlType* find_ggml_type(std::uint32_t id) noexcept;
/// \throws Error{kInternal} for a dtype that GGUF files do not have
[[nodiscard]] const GgmlType& ggml_type_of(DType dtype);

/// Names of the types that are computed with, for messages.
[[nodiscard]] std::string supported_ggml_types();

/// Name of general.file_type, such as "Q4_K_M"; "type <id>" for one that is not known.
[[nodiscard]] std::string gguf_file_type_name(std::int64_t id);
/// The general.file_type of files whose matrices are of this type.
[[nodiscard]] std::uint32_t gguf_file_type_of(DType dtype);

}  // namespace nolens
