// The tables of ggml.h and llama.h, written down from the published format.
#include "formats/gguf/ggml_types.h"

#include <algorithm>
#include <array>

#include "core/check.h"

namespace nolens {
namespace {

constexpr std::array<GgmlType, 34> kTypes{{
    {0, "F32", 1, 4, DType::kF32},
    {1, "F16", 1, 2, DType::kF16},
    {2, "Q4_0", 32, 18, DType::kQ4_0},
    {3, "Q4_1", 32, 20, DType::kQ4_1},
    {6, "Q5_0", 32, 22, DType::kQ5_0},
    {7, "Q5_1", 32, 24, DType::kQ5_1},
    {8, "Q8_0", 32, 34, DType::kQ8_0},
    {9, "Q8_1", 32, 36, {}},
    {10, "Q2_K", 256, 84, {}},
    {11, "Q3_K", 256, 110, {}},
    {12, "Q4_K", 256, 144, DType::kQ4_K},
    {13, "Q5_K", 256, 176, DType::kQ5_K},
    {14, "Q6_K", 256, 210, DType::kQ6_K},
    {15, "Q8_K", 256, 292, {}},
    {16, "IQ2_XXS", 256, 66, {}},
    {17, "IQ2_XS", 256, 74, {}},
    {18, "IQ3_XXS", 256, 98, {}},
    {19, "IQ1_S", 256, 50, {}},
    {20, "IQ4_NL", 32, 18, DType::kIQ4_NL},
    {21, "IQ3_S", 256, 110, {}},
    {22, "IQ2_S", 256, 82, {}},
    {23, "IQ4_XS", 256, 136, {}},
    {24, "I8", 1, 1, {}},
    {25, "I16", 1, 2, {}},
    {26, "I32", 1, 4, {}},
    {27, "I64", 1, 8, {}},
    {28, "F64", 1, 8, {}},
    {29, "IQ1_M", 256, 56, {}},
    {30, "BF16", 1, 2, DType::kBf16},
    {34, "TQ1_0", 256, 54, {}},
    {35, "TQ2_0", 256, 66, {}},
    {39, "MXFP4", 32, 17, {}},
    {40, "NVFP4", 64, 36, {}},
    {41, "Q1_0", 128, 18, {}},
}};

struct FileType {
  std::int64_t id;
  std::string_view name;
};

constexpr std::array<FileType, 29> kFileTypes{{
    {0, "F32"},      {1, "F16"},      {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
    {8, "Q5_0"},     {9, "Q5_1"},     {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
    {13, "Q3_K_L"},  {14, "Q4_K_S"},  {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
    {18, "Q6_K"},    {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"},
    {23, "IQ3_XXS"}, {24, "IQ1_S"},   {25, "IQ4_NL"}, {26, "IQ3_S"},  {27, "IQ3_M"},
    {28, "IQ2_S"},   {30, "IQ4_XS"},  {31, "IQ1_M"},  {32, "BF16"},
}};

}  // namespace

std::span<const GgmlType> ggml_types() noexcept {
  return kTypes;
}

const GgmlType* find_ggml_type(std::uint32_t id) noexcept {
  const auto types = ggml_types();
  const auto found = std::find_if(types.begin(), types.end(),
                                  [id](const GgmlType& type) { return type.id == id; });
  return found != types.end() ? &*found : nullptr;
}

const GgmlType& ggml_type_of(DType dtype) {
  const auto types = ggml_types();
  const auto found = std::find_if(types.begin(), types.end(),
                                  [dtype](const GgmlType& type) { return type.dtype == dtype; });
  NOLENS_CHECK(found != types.end());
  return *found;
}

std::string supported_ggml_types() {
  std::string names;
  for (const GgmlType& type : ggml_types()) {
    if (type.dtype) {
      names += (names.empty() ? "" : ", ") + std::string(type.name);
    }
  }
  return names;
}

std::string gguf_file_type_name(std::int64_t id) {
  const auto* found = std::find_if(kFileTypes.begin(), kFileTypes.end(),
                                   [id](const FileType& type) { return type.id == id; });
  return found != kFileTypes.end() ? std::string(found->name) : "type " + std::to_string(id);
}

std::uint32_t gguf_file_type_of(DType dtype) {
  // A K type as a whole has the id of its medium mixture.
  const std::string name =
      std::string(dtype_name(dtype)) + (dtype == DType::kQ4_K || dtype == DType::kQ5_K ? "_M" : "");
  const auto* found = std::find_if(kFileTypes.begin(), kFileTypes.end(),
                                   [&](const FileType& type) { return type.name == name; });
  NOLENS_CHECK(found != kFileTypes.end());
  return static_cast<std::uint32_t>(found->id);
}

}  // namespace nolens
