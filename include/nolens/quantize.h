// Models as one .nolens file: weights in few bits, in the order in which products read them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nolens/log.h"

namespace nolens {

struct QuantizeOptions {
  std::filesystem::path out;  ///< ends in ".nolens"; replaced if it exists
  /// Of the decoder's matrices: one of quantize_formats(). "keep" leaves every weight as it is, in
  /// the new order.
  std::string format;
  std::string head_format = "same";  ///< of token embedding and output head: "same" or as `format`
  bool double_quant = false;         ///< nf4, fp4: scales in 8 bits
  std::filesystem::path mmproj{};    ///< as LoadOptions::mmproj
  int num_threads = 0;               ///< 0 = one per physical core
  LogSink log{};
  ProgressSink progress{};
};

struct QuantizeResult {
  std::int64_t source_bytes = 0;  ///< of the model's tensors
  std::int64_t file_bytes = 0;
  std::vector<std::string>
      notes;  ///< sentences about tensors that did not become what was asked for
};

/// Names that QuantizeOptions::format may have.
[[nodiscard]] std::vector<std::string> quantize_formats();

/// Writes the model that Model::load() takes from `model` as one file, or leaves none. Needs little
/// memory: weights pass through in pieces. Pictures' and sounds' embedders and norms stay as they
/// are. \throws Error{kUsage} for options that contradict each other or a file that would replace
/// its source;
///         Error{kModel} for a broken model; Error{kResource} for a full disk
QuantizeResult quantize_model(const std::filesystem::path& model, const QuantizeOptions& options);

/// Reads a .nolens file whole and compares it with its checksums.
/// \throws Error{kModel} naming the first tensor that was changed
void verify_model_file(const std::filesystem::path& file, const ProgressSink& progress = {});

}  // namespace nolens
