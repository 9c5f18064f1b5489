// A recorded run of the reference implementation: case.json and expected*.safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nolens/config.h"

#include "formats/json.h"
#include "formats/tensor_store.h"

namespace nolens {

/// A recorded matrix [rows, cols], used where it lies in the mapped file.
class ReferenceTensor {
 public:
  ReferenceTensor(const TensorView& view, std::int64_t rows, std::int64_t cols, std::string folder)
      : view_(&view), rows_(rows), cols_(cols), folder_(std::move(folder)) {}
  [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::int64_t cols() const noexcept { return cols_; }
  /// Row as float32; values [cols]. \throws Error{kInput} if one is not finite.
  void read_row(std::int64_t row, std::span<float> values) const;

 private:
  const TensorView* view_;  ///< owned by the Reference
  std::int64_t rows_;
  std::int64_t cols_;
  std::string folder_;  ///< for messages
};

/// What is recorded of one picture or frame of a clip.
struct ReferenceImage {
  std::optional<std::int64_t> used_width, used_height;
  std::string resized;          ///< file name of the resized pixels, empty if not recorded
  std::string resized_fnv1a64;  ///< or their hash
  std::string patches_fnv1a64;
};

/// What is recorded under one mask rule.
struct ReferenceRule {
  std::string name;
  std::vector<TokenId> greedy_ids;
  std::vector<double> greedy_margins;  ///< [greedy_ids], or empty
};

/// Every error is Error{kInput} and names the folder.
class Reference {
 public:
  /// \param rule  empty: the first recorded of canonical, legacy, causal
  Reference(const std::filesystem::path& folder, std::optional<MaskRule> rule);

  /// The tensor as [rows, cols], nullopt if it is not recorded. A vector [cols] counts as one row.
  /// \throws Error{kInput} on another shape or an unusable type
  [[nodiscard]] std::optional<ReferenceTensor> tensor(const std::string& name, std::int64_t rows,
                                                      std::int64_t cols) const;
  /// As tensor(), of input_embeddings, which may have more rows: those of an answer after the
  /// prompt.
  [[nodiscard]] std::optional<ReferenceTensor> input_embeddings(std::int64_t rows,
                                                                std::int64_t cols) const;
  /// As tensor(), of "<rule>.<name>".
  [[nodiscard]] std::optional<ReferenceTensor> rule_tensor(const std::string& name,
                                                           std::int64_t rows,
                                                           std::int64_t cols) const {
    return tensor(rule.name + "." + name, rows, cols);
  }
  /// \throws Error{kInput} "reference '<folder>': <what>"
  [[noreturn]] void fail(const std::string& what) const;
  /// \throws Error{kInput} if ids or layers are beyond the model's.
  void check_against(const ModelConfig& config) const;

  std::filesystem::path folder;
  Json messages;
  bool enable_thinking = false;
  bool add_generation_prompt = true;
  std::int64_t image_tokens = 0;  ///< soft-token budget; 0 = the model's
  std::vector<TokenId> token_ids;
  std::vector<ReferenceImage> images;
  std::vector<TokenId> suppressed_ids;
  SourceDtype dtype = SourceDtype::kFloat32;
  std::int64_t row_step = 1;  ///< of the rows of the prompt every row_step-th is recorded
  std::string made_with;
  MaskRule mask_rule = MaskRule::kCanonical;
  ReferenceRule rule;

 private:
  void read_case(std::optional<MaskRule> wanted);
  void read_rule(const Json& rules, std::optional<MaskRule> wanted);
  void open_tensors();
  [[nodiscard]] const TensorView* find(const std::string& name) const noexcept;
  [[nodiscard]] ReferenceTensor checked(const TensorView& view, bool shape_fits, std::int64_t rows,
                                        std::int64_t cols) const;

  std::vector<TensorStore> stores_;
};

/// The name of a rule in files and on the command line.
[[nodiscard]] const char* mask_rule_name(MaskRule rule) noexcept;

}  // namespace nolens
