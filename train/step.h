// One training step: losses of this rank's part of the batch and their gradients.
#pragma once

#include <cstdint>

#include "distributed.h"
#include "group_source.h"
#include "modules.h"
#include "options.h"
#include "parameters.h"

namespace nolens::train {

/// Of one step, over all ranks.
struct StepResult {
  double answer_loss = 0.0;       ///< per answer token
  double scaffold_loss = 0.0;     ///< per labelled drawing
  double contrastive_loss = 0.0;  ///< per picture
  double accuracy = 0.0;          ///< share of conversations answered exactly
  bool stop = false;              ///< a rank was asked to stop
};

class Step {
 public:
  /// Keeps references.
  Step(const TrainOptions& options, const ModelConfig& config, const Decoder& decoder,
       ParameterSet& parameters, GroupSource& source, const RankGroup& ranks, at::Device device);

  /// Leaves the gradient of the whole batch, summed over ranks, in the parameter set. `stop` is
  /// this rank's wish; all ranks get the same answer.
  StepResult run(std::int64_t step, bool stop);

 private:
  struct Sums;
  [[nodiscard]] at::Tensor part_loss(const std::vector<Group>& groups, const Batch& batch,
                                     double helper_share, Sums& sums) const;
  [[nodiscard]] at::Tensor contrastive_part(const std::vector<Group>& groups, const Batch& batch,
                                            const at::Tensor& final_prefix) const;

  const TrainOptions& options_;
  const ModelConfig& config_;
  const Decoder& decoder_;
  ParameterSet& parameters_;
  GroupSource& source_;
  const RankGroup& ranks_;
  at::Device device_;
};

}  // namespace nolens::train
