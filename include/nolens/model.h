// A loaded model: weights, configuration, tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nolens/chat.h"
#include "nolens/config.h"
#include "nolens/log.h"
#include "nolens/tokenizer.h"

namespace nolens {

/// How a session keeps its keys and values. kAuto: half precision, or float32 where the run is exact or
/// the model is float32 itself. What each costs: docs/model.md, "Key/value cache".
enum class KvCacheType { kAuto, kF32, kF16, kBf16, kInt8 };

struct LoadOptions {
  int num_threads = 0;           ///< 0 = one per physical core
  /// Keeps each thread on a physical core of its own, among those the process may use: the model's
  /// threads always, the caller's during a step (its callbacks included). Linux. More threads than
  /// cores are an error.
  bool affinity = false;
  bool exact = false;            ///< compute in float32 throughout
  /// NF4, FP4: products take codebooks of 8 bits instead of 16. A prompt is read in half the time; what
  /// it costs: docs/performance.md, "What formats cost".
  bool byte_codebook = false;
  bool allow_nonfinite = false;  ///< accept NaN and infinity in weights
  /// GGUF models: the file with the embedders of pictures and sound. Empty = one with "mmproj" in its
  /// name beside the model, if there is one.
  std::filesystem::path mmproj{};
  LogSink log{};
  ProgressSink progress{};
};

/// Tensors of one number format.
struct TensorTypeCount {
  std::string dtype;  ///< such as "BF16" or "Q4_K"
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;
};

/// Tensors of one part of the model.
struct TensorGroup {
  std::string name;    ///< "embedding", "attention", "feed-forward", "vision", "audio", "norms", "other"
  std::string format;  ///< number format of the largest share, such as "NF4"
  std::string layout;  ///< "panels", "rows"; of the largest share
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< in the files, scales included
};

/// Immutable after load(); shared between sessions and threads.
class Model {
 public:
  /// Loads a Hugging Face directory, a GGUF file, a directory with one GGUF language model, or a .nolens file.
  /// Weights stay memory-mapped and are used in place; quantised ones that are not in panels are packed into
  /// memory unless the run is exact (docs/formats.md).
  /// \throws Error{kModel} before any weight is used if a file cannot be right.
  static std::shared_ptr<const Model> load(const std::filesystem::path& path,
                                           const LoadOptions& options = {});
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] const ModelConfig& config() const noexcept;
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept;
  /// For ChatOptions::family and OutputParser: told by the model's chat template, or by its control
  /// tokens where it has none. Never kTranscript.
  [[nodiscard]] ChatFamily chat_family() const noexcept;
  /// What the files are, for people: "safetensors", "GGUF v3, Q4_K_M", ".nolens 1, panels16x256, NF4, from safetensors".
  [[nodiscard]] const std::string& format() const noexcept;
  /// How the weights are stored, the largest share first.
  [[nodiscard]] std::vector<TensorTypeCount> tensor_types() const;
  /// The same by part of the model; parts without tensors are left out.
  [[nodiscard]] std::vector<TensorGroup> tensor_groups() const;
  [[nodiscard]] std::int64_t weights_bytes() const noexcept;
  [[nodiscard]] std::int64_t num_parameters() const noexcept;
  /// Instruction set in use, such as "avx512bf16".
  [[nodiscard]] const char* kernels_name() const noexcept;
  [[nodiscard]] int num_threads() const noexcept;

  struct Impl;  ///< for the engine's own files
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The tokenizer of a model that Model::load() takes, without its weights. \throws Error{kModel}
Tokenizer load_tokenizer(const std::filesystem::path& model);

/// Bytes of keys and values a session with this context length holds when full.
std::int64_t kv_cache_bytes(const ModelConfig& config, std::int64_t context_length, bool exact,
                            KvCacheType type = KvCacheType::kAuto);

}  // namespace nolens
