// The whole state of a run on disk, safe against a crash at any moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "formats/json.h"
#include "optimizer.h"
#include "parameters.h"

namespace nolens::train {

/// What is not a tensor.
struct RunState {
  std::int64_t step = 0;           ///< steps done
  std::int64_t skipped_steps = 0;  ///< for lack of a finite gradient
  double best_score = -1.0;        ///< on the validation data
};

/// Checkpoints are folders DIRECTORY/step-NNNNNNNN with state.safetensors (weights, moments,
/// average) and state.json, both with checksums. A folder gets its name only when it is complete
/// and on the disk. Of those up to the step just saved the newest two are kept. The caller sees to
/// it that no other process writes DIRECTORY (FolderLock).
class CheckpointFolder {
 public:
  /// `fingerprint`: options that a resumed run must share, by name.
  CheckpointFolder(std::filesystem::path directory, std::map<std::string, Json> fingerprint);

  [[nodiscard]] bool has_any() const;
  /// \throws Error{kResource} when the disk is full or fails.
  void save(const RunState& state, const ParameterSet& parameters, const AdamW& optimizer) const;
  /// Restores the newest checkpoint that can be read. For each one that cannot, `warn` gets a
  /// sentence. Nothing if there is none. \throws Error{kUsage} if it belongs to a run with other
  /// options, Error{kModel} if none of them can be read.
  std::optional<RunState> load(ParameterSet& parameters, AdamW& optimizer,
                               const std::function<void(const std::string&)>& warn) const;

 private:
  std::filesystem::path directory_;
  std::map<std::string, Json> fingerprint_;
};

}  // namespace nolens::train
