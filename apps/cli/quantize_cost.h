// What a quantised model costs: how far its predictions are from the model it was made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nolens/model.h"

#include "divergence.h"

namespace nolens::cli {

/// S: the source in float32. E: the quantised file in float32. Q: the file as it runs.
struct Comparisons {
  Divergence weights;     ///< E against S: what rounding the weights costs
  Divergence arithmetic;  ///< Q against E: what integer products cost
  Divergence together;    ///< Q against S
};

/// Greedy answers of S to questions about pictures, position by position.
struct PictureComparisons {
  Comparisons positions;
  std::int64_t prompts = 0;
  std::int64_t same_weights = 0;     ///< answers of E that equal those of S
  std::int64_t same_arithmetic = 0;  ///< of Q that equal those of E at these positions
  std::int64_t same_together = 0;    ///< of Q that equal those of S
};

struct FormatCost {
  std::string format;  ///< such as "nf4+double-quant"
  std::int64_t file_bytes = 0;
  double bits_per_weight = 0.0;  ///< of all tensors, scales included
  Comparisons text;
  std::optional<PictureComparisons> pictures;  ///< of models that see
  std::vector<std::string> notes;              ///< of quantize_model()
};

/// The model that others are compared with, computed in float32, and the text.
struct CostSource {
  std::shared_ptr<const Model> model;
  std::vector<std::vector<TokenId>> windows;
};

/// Compares `file`, as it runs with `load`, with its source on the text and, if the model sees, on
/// drawn_shapes().
/// \throws Error{kUsage} if the vocabularies differ in size; what Model::load() does
FormatCost measure_cost(const CostSource& source, const std::filesystem::path& file, LoadOptions load,
                        const ProgressSink& progress);

}  // namespace nolens::cli
