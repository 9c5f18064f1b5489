// A whole training run on one rank.
#pragma once

#include "distributed.h"
#include "options.h"

namespace nolens::train {

/// Trains (or evaluates) as `options` say. Rank 0 prints and writes files. SIGTERM and SIGINT end
/// the run after the current step with a checkpoint. Returns the process's exit code. \throws Error
int run_training(const TrainOptions& options, const RankGroup& ranks);

}  // namespace nolens::train
