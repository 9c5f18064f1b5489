// A loaded model: weights, configuration, tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "nolens/chat.h"
#include "nolens/config.h"
#include "nolens/log.h"
#include "nolens/tokenizer.h"

namespace nolens {

struct LoadOptions {
  int num_threads = 0;           ///< 0 = one per physical core
  bool exact = false;            ///< compute in float32 throughout
  bool allow_nonfinite = false;  ///< accept NaN and infinity in weights
  LogSink log{};
  ProgressSink progress{};
};

/// Immutable after load(); shared between sessions and threads.
class Model {
 public:
  /// Loads a Hugging Face directory. Weights stay memory-mapped and are used in place.
  /// \throws Error{kModel} before any weight is used if a file cannot be right.
  static std::shared_ptr<const Model> load(const std::filesystem::path& path,
                                           const LoadOptions& options = {});
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] const ModelConfig& config() const noexcept;
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept;
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

/// Bytes of keys and values a session with this context length holds when full.
std::int64_t kv_cache_bytes(const ModelConfig& config, std::int64_t context_length, bool exact);

}  // namespace nolens
