// Greedy accuracy on a data set.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "distributed.h"
#include "groups.h"
#include "modules.h"
#include "prompt_encoder.h"

namespace nolens::train {

struct Score {
  std::int64_t right = 0;
  std::int64_t asked = 0;
  [[nodiscard]] double share() const noexcept {
    return asked == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(asked);
  }
};

struct Evaluation {
  Score all;     ///< answers that are exactly the reference
  Score yes_no;  ///< questions whose answer is yes or no
  Score other;
  std::map<std::string, Score> by_answer;
  double loss = 0.0;  ///< per answer token
};

/// Asks everything in `groups`, `groups_per_batch` at a time. The ranks share the work and all get
/// the result.
Evaluation evaluate(const Decoder& decoder, const ModelConfig& config, const PromptEncoder& encoder,
                    const std::vector<Group>& groups, std::int64_t groups_per_batch,
                    const RankGroup& ranks, at::Device device);

/// Share of pictures whose most similar caption, among all different ones in `groups`, is theirs.
/// Each picture counts once. Without contrastive projections the pooled rows are compared as they
/// are.
Score retrieve(const Decoder& decoder, const ModelConfig& config, const ParameterSet& parameters,
               const std::vector<Group>& groups, std::int64_t groups_per_batch, at::Device device);

}  // namespace nolens::train
