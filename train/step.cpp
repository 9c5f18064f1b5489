#include "step.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "batch.h"
#include "contrastive.h"
#include "loss.h"

namespace nolens::train {
namespace {

using at::Tensor;

}  // namespace

/// Sums over this rank's part, and what to divide the ranks' total by.
struct Step::Sums {
  double answer_tokens = 0.0;  ///< over all ranks, known before the losses
  double labels = 0.0;         ///< likewise
  double pairs = 0.0;          ///< likewise
  double answer = 0.0;
  double scaffold = 0.0;
  double contrastive = 0.0;
  double right = 0.0;
  double asked = 0.0;
};

Step::Step(const TrainOptions& options, const ModelConfig& config, const Decoder& decoder,
           ParameterSet& parameters, GroupSource& source, const RankGroup& ranks, at::Device device)
    : options_(options),
      config_(config),
      decoder_(decoder),
      parameters_(parameters),
      source_(source),
      ranks_(ranks),
      device_(device) {}

StepResult Step::run(std::int64_t step, bool stop) {
  // Slots go to parts and ranks so that a part holds the same pictures with any number of ranks.
  const std::int64_t part_slots = options_.source.groups_per_step / options_.accumulation;
  std::vector<std::vector<Group>> parts(static_cast<std::size_t>(options_.accumulation));
  for (std::int64_t slot = ranks_.rank(); slot < options_.source.groups_per_step;
       slot += ranks_.size()) {
    parts[static_cast<std::size_t>(slot / part_slots)].push_back(source_.make(step, slot));
  }
  Tensor counts = at::zeros({4}, at::kDouble);
  auto count = counts.accessor<double, 1>();
  count[3] = stop ? 1.0 : 0.0;
  std::vector<Batch> batches;
  for (const std::vector<Group>& groups : parts) {
    batches.push_back(collate(groups, config_, device_));
    count[0] += static_cast<double>(batches.back().targets_count());
    for (const Group& group : groups) {
      count[1] += group.label.has_value() ? 1.0 : 0.0;
      count[2] += has_pair(group) ? 1.0 : 0.0;
    }
  }
  ranks_.sum(counts);
  Sums sums;
  sums.answer_tokens = std::max(count[0], 1.0);
  sums.labels = std::max(count[1], 1.0);
  sums.pairs = std::max(count[2], 1.0);

  const double done = static_cast<double>(step) / static_cast<double>(options_.schedule.steps);
  const double from = options_.helper_decay_from;
  const double helper_share = done < from ? 1.0 : std::max(0.0, (1.0 - done) / (1.0 - from));
  parameters_.gradients().zero_();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    part_loss(parts[i], batches[i], helper_share, sums).backward();
  }
  Tensor gradients = parameters_.gradients();
  ranks_.sum(gradients);
  Tensor totals = at::tensor({sums.answer, sums.scaffold, sums.contrastive, sums.right, sums.asked},
                             at::kDouble);
  ranks_.sum(totals);
  const auto total = totals.accessor<double, 1>();
  StepResult result;
  result.answer_loss = total[0] / sums.answer_tokens;
  result.scaffold_loss = total[1] / sums.labels;
  result.contrastive_loss = total[2] / sums.pairs;
  result.accuracy = total[3] / std::max(total[4], 1.0);
  result.stop = count[3] > 0.0;
  return result;
}

Tensor Step::part_loss(const std::vector<Group>& groups, const Batch& batch, double helper_share,
                       Sums& sums) const {
  const bool scaffold = options_.scaffold_weight > 0.0 && helper_share > 0.0;
  const bool contrastive = options_.contrastive_weight > 0.0 && helper_share > 0.0;
  const Decoder::Output output = decoder_.forward(batch, {contrastive, scaffold});
  const AnswerLoss answer =
      answer_loss(decoder_.logits(output.answers.index_select(0, batch.target_rows)), batch);
  sums.answer += answer.sum.item<double>();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t k = 0; k < groups[g].branches.size(); ++k) {
      sums.right += answer.right[g * static_cast<std::size_t>(batch.branches) + k];
      sums.asked += 1.0;
    }
  }
  Tensor loss = answer.sum / sums.answer_tokens;
  if (scaffold) {
    const Tensor predictions = at::addmm(parameters_.get("train.scaffold.bias"),
                                         mean_picture_row(output.middle_prefix, batch),
                                         parameters_.get("train.scaffold.weight").t());
    const Tensor sum = scaffold_loss(predictions, groups);
    sums.scaffold += sum.item<double>();
    loss = loss + sum * (options_.scaffold_weight * helper_share / sums.labels);
  }
  if (contrastive) {
    const Tensor sum = contrastive_part(groups, batch, output.final_prefix);
    sums.contrastive += sum.item<double>();
    loss = loss + sum * (options_.contrastive_weight * helper_share / sums.pairs);
  }
  return loss;
}

Tensor Step::contrastive_part(const std::vector<Group>& groups, const Batch& batch,
                              const Tensor& final_prefix) const {
  const CaptionPairs pairs = caption_pairs(groups, config_.tokens.bos);
  const Embedder embedder(config_, parameters_, decoder_);
  const auto keys = [&](const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).to(device_);
  };
  ContrastiveInput input;
  input.image = embedder.pictures(final_prefix, batch);
  input.text = embedder.texts(pairs.texts, device_);
  input.image_keys = keys(pairs.image_keys);
  input.text_keys = keys(pairs.text_keys);
  input.log_scale = parameters_.get("train.contrastive.log_scale");
  input.bias = parameters_.get("train.contrastive.bias");
  const ContrastiveKind kind = options_.contrastive_kind == "softmax" ? ContrastiveKind::kSoftmax
                                                                      : ContrastiveKind::kSigmoid;
  return contrastive_loss(input, kind, ranks_);
}

}  // namespace nolens::train
