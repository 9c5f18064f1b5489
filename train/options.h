// What nolens-train can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "group_source.h"
#include "optimizer.h"
#include "schedule.h"

namespace nolens::train {

struct TrainOptions {
  std::filesystem::path model;       ///< directory with config, tokenizer and processor files
  bool from_scratch = false;         ///< new weights instead of those in `model`
  std::filesystem::path data;        ///< JSONL; may be empty if drawings are asked for
  std::filesystem::path validation;  ///< JSONL; empty = none
  std::filesystem::path out;         ///< run folder: checkpoints, curves, the exported model

  Schedule schedule;
  AdamWOptions optimizer;
  SourceOptions source;
  std::int64_t accumulation = 1;  ///< parts a step's batch is worked through in
  bool bf16 = false;
  double scaffold_weight = 0.0;
  double contrastive_weight = 0.0;
  std::string contrastive_kind = "sigmoid";  ///< or "softmax"
  double helper_decay_from = 1.0;  ///< share of the steps after which helper losses fade to 0

  int ranks = 1;
  int threads = 1;  ///< per rank
  std::string device = "cpu";
  std::int64_t evaluate_every = 500;    ///< steps; 0 = only at the end
  std::int64_t checkpoint_every = 500;  ///< steps; 0 = only at the end
  std::int64_t log_every = 20;
  std::int64_t max_tokens = 1024;  ///< of a sample
  double max_bad_share = 0.01;     ///< of the data's lines that may be unusable
  std::int64_t max_bad_steps = 5;  ///< steps in a row with a loss that is no number
  bool resume = false;             ///< go on from the newest checkpoint in `out`
  bool evaluate_only = false;
  std::filesystem::path evaluate_file;  ///< writes the final evaluation as JSON
};

/// Parses the command line; `--config FILE` holds the same options as a JSON object, and the
/// command line wins over it. \throws Error{kUsage}; may exit after --help.
TrainOptions parse_options(int argc, const char* const* argv);

}  // namespace nolens::train
