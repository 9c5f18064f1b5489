// A small model that drafts for a large one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "nolens/log.h"
#include "nolens/model.h"

namespace nolens {

/// A drafter made for one model, such as google/gemma-4-12B-it-assistant: a few narrow layers that read the
/// keys and values of the model itself. Immutable after load(); shared between sessions and threads.
class Assistant {
 public:
  /// Loads a Hugging Face directory with model_type gemma4_unified_assistant. Weights stay memory-mapped.
  /// \throws Error{kModel} if the files cannot be right or the assistant does not fit `target`
  static std::shared_ptr<const Assistant> load(const std::filesystem::path& directory,
                                               std::shared_ptr<const Model> target,
                                               const LogSink& log = {});
  ~Assistant();
  Assistant(const Assistant&) = delete;
  Assistant& operator=(const Assistant&) = delete;

  [[nodiscard]] std::int64_t weights_bytes() const noexcept;

  struct Impl;  ///< for the engine's own files
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Assistant(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
