// Which groups a step trains on: a pure function of the seed, the step and the place in the batch.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "nolens/config.h"

#include "augment.h"
#include "dataset.h"
#include "groups.h"
#include "prompt_encoder.h"

namespace nolens::train {

struct SourceOptions {
  std::uint64_t seed = 1;
  std::int64_t groups_per_step = 64;  ///< over all ranks
  std::int64_t branches = 6;          ///< conversations per picture and step, at most
  double drawings_share = 0.0;        ///< of the groups of a step: own drawings
  double wide_share = 0.0;            ///< of the drawings: see draw_picture()
  double free_share = 0.0;            ///< of their questions: see ask_about()
  AugmentOptions augment;             ///< of the data set's pictures
};

class GroupSource {
 public:
  /// Keeps references. \throws Error{kUsage} if there is nothing to train on.
  GroupSource(const Dataset& dataset, const PromptEncoder& encoder, const ModelConfig& config,
              const SourceOptions& options);

  /// The group at `slot` (0…groups_per_step-1) of `step`. The last slots hold drawings; the others
  /// walk through the data set, each epoch in an order of its own.
  [[nodiscard]] Group make(std::int64_t step, std::int64_t slot);

  /// Every conversation of `dataset` once, unchanged pictures.
  static std::vector<Group> all_groups(const Dataset& dataset, const PromptEncoder& encoder,
                                       const ModelConfig& config, std::int64_t branches);

 private:
  [[nodiscard]] Group make_drawing(std::int64_t step, std::int64_t slot) const;
  [[nodiscard]] std::size_t example_at(std::int64_t number);

  const Dataset& dataset_;
  const PromptEncoder& encoder_;
  const ModelConfig& config_;
  SourceOptions options_;
  std::int64_t data_slots_ = 0;
  std::int64_t order_epoch_ = -1;
  std::vector<std::size_t> order_;  ///< of the epoch order_epoch_
};

}  // namespace nolens::train
