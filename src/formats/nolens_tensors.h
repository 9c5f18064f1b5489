// How the tensors of a .nolens file are described: the JSON text "nolens.tensors" of its metadata.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/matrix.h"

namespace nolens {

/// A tensor that safetensors has no type for: its bytes are a U8 tensor of the same name.
struct NolensTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  ///< [rows, columns]
  WeightLayout layout = WeightLayout::kRows;
  // NF4 and FP4:
  std::int64_t codebook = -1;  ///< row of kNolensCodebooks
  std::int64_t block_size = 0;
  DType value_dtype = DType::kF32;
  // Their nested scales:
  std::int64_t nested_codebook = -1;  ///< row of kNolensNestedCodebooks; -1 = not nested
  std::int64_t nested_block_size = 0;

  [[nodiscard]] bool nested() const noexcept { return nested_codebook >= 0; }
  [[nodiscard]] bool operator==(const NolensTensor&) const = default;
};

inline constexpr std::string_view kNolensVersion = "1";
inline constexpr std::string_view kNolensLayout = "panels16x256";
inline constexpr std::string_view kNolensExtension = ".nolens";

// Tensors of the file's own. All begin with kNolensPrefix, padding with kNolensPadding.
inline constexpr std::string_view kNolensPrefix = "_nolens.";
inline constexpr std::string_view kNolensPadding = "_pad.";
inline constexpr std::string_view kNolensTokenizer = "_nolens.tokenizer.json";  ///< U8
inline constexpr std::string_view kNolensGguf = "_nolens.gguf";  ///< U8, metadata of the model
inline constexpr std::string_view kNolensMmproj = "_nolens.mmproj.gguf";   ///< U8, of its projector
inline constexpr std::string_view kNolensCodebooks = "_nolens.codebooks";  ///< F32 [n, 16]
inline constexpr std::string_view kNolensNestedCodebooks =
    "_nolens.nested_codebooks";  ///< F32 [n, 256]
/// U8 [8 (tensors before it + 1)]: XXH64 of each tensor in order of its data, then that of the
/// header and of these numbers. The last tensor of the file.
inline constexpr std::string_view kNolensChecksums = "_nolens.checksums";

// Side tensors of a tensor X: X.absmax (F32 [blocks], U8 if nested; F32 [rows] of INT8; not of
// panels) and X.nested_absmax (F32 [ceil(blocks / nested_block_size) + 1], the last one is the
// offset).
inline constexpr std::string_view kAbsmaxSuffix = ".absmax";
inline constexpr std::string_view kNestedAbsmaxSuffix = ".nested_absmax";

using NolensTensors = std::map<std::string, NolensTensor>;

[[nodiscard]] std::string nolens_tensors_to_json(const NolensTensors& tensors);
/// Sizes are positive, codebook numbers not too large to be numbers; relations to tensors are not
/// checked. \param file  begins every message \throws Error{kModel}
[[nodiscard]] NolensTensors nolens_tensors_from_json(std::string_view json,
                                                     const std::string& file);

}  // namespace nolens
