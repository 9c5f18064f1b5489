#include "loss.h"

#include <algorithm>

namespace nolens::train {
namespace {

using at::Tensor;

constexpr std::int64_t kShapes = 3;
constexpr std::int64_t kColours = 8;
constexpr double kCentreWeight = 10.0;

/// Sum over rows of the mean log-probability of the positives, negated; rows that do not count have
/// no positive.
Tensor softmax_part(const Tensor& scores, const Tensor& positive, const Tensor& valid_columns) {
  const Tensor masked = scores.masked_fill(valid_columns.logical_not().unsqueeze(0), -1e9);
  const Tensor shares = positive / positive.sum(1, true).clamp_min(1.0);
  return -(masked.log_softmax(1) * shares).sum();
}

}  // namespace

AnswerLoss answer_loss(const Tensor& logits, const Batch& batch) {
  AnswerLoss result;
  const Tensor log_probabilities = logits.log_softmax(1);
  result.sum = -log_probabilities.gather(1, batch.targets.unsqueeze(1)).sum();
  const Tensor hits =
      logits.detach().argmax(1).eq(batch.targets).to(at::kByte).to(at::kCPU).contiguous();
  const auto* hit = hits.data_ptr<std::uint8_t>();
  result.right.assign(static_cast<std::size_t>(batch.groups * batch.branches), 1);
  for (std::size_t i = 0; i < batch.target_branch.size(); ++i) {
    std::uint8_t& right = result.right[static_cast<std::size_t>(batch.target_branch[i])];
    right = static_cast<std::uint8_t>(right & hit[i]);
  }
  return result;
}

Tensor mean_picture_row(const Tensor& prefix_rows, const Batch& batch) {
  const Tensor zeros = at::zeros({batch.groups, prefix_rows.size(1)}, prefix_rows.options());
  if (!batch.patch_rows.defined()) {
    return zeros;
  }
  const Tensor counts =
      at::zeros({batch.groups}, prefix_rows.options())
          .index_add_(0, batch.patch_group,
                      at::ones({batch.patch_group.size(0)}, prefix_rows.options()));
  return zeros.index_add(0, batch.patch_group, prefix_rows.index_select(0, batch.patch_rows)) /
         counts.clamp_min(1.0).unsqueeze(1);
}

Tensor scaffold_loss(const Tensor& predictions, const std::vector<Group>& groups) {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> shapes;
  std::vector<std::int64_t> colours;
  std::vector<float> centres;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (const auto& label = groups[i].label; label.has_value()) {
      rows.push_back(static_cast<std::int64_t>(i));
      shapes.push_back(label->shape);
      colours.push_back(label->colour);
      centres.insert(centres.end(), {label->centre_x, label->centre_y});
    }
  }
  if (rows.empty()) {
    return predictions.sum() * 0.0;
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto indices = [&](std::vector<std::int64_t>& values) {
    return at::from_blob(values.data(), {count}, at::kLong).clone().to(predictions.device());
  };
  const Tensor known = predictions.index_select(0, indices(rows));
  const Tensor target =
      at::from_blob(centres.data(), {count, 2}, at::kFloat).clone().to(predictions.device());
  const auto cross_entropy = [&](std::int64_t first, std::int64_t classes,
                                 std::vector<std::int64_t>& labels) {
    return -known.narrow(1, first, classes)
                .log_softmax(1)
                .gather(1, indices(labels).unsqueeze(1))
                .sum();
  };
  return cross_entropy(0, kShapes, shapes) + cross_entropy(kShapes, kColours, colours) +
         kCentreWeight * (known.narrow(1, kShapes + kColours, 2) - target).square().sum();
}

Tensor contrastive_loss(const ContrastiveInput& input, ContrastiveKind kind,
                        const RankGroup& ranks) {
  const Tensor all_texts = gather_with_gradient(input.text, ranks);
  const Tensor all_text_keys = ranks.gather(input.text_keys);
  const Tensor all_image_keys = ranks.gather(input.image_keys);
  const Tensor valid_rows = input.image_keys >= 0;
  const Tensor valid_columns = all_image_keys >= 0;
  const Tensor valid = valid_rows.unsqueeze(1).logical_and(valid_columns.unsqueeze(0));
  const Tensor positive =
      input.text_keys.unsqueeze(1)
          .eq(all_text_keys.unsqueeze(0))
          .logical_or(input.image_keys.unsqueeze(1).eq(all_image_keys.unsqueeze(0)))
          .logical_and(valid)
          .to(input.image.scalar_type());
  const Tensor scale = input.log_scale.exp();
  const Tensor scores = at::mm(input.image, all_texts.t()) * scale;
  if (kind == ContrastiveKind::kSigmoid) {
    const Tensor sign = positive * 2.0 - 1.0;
    return -(at::log_sigmoid(sign * (scores + input.bias)) * valid).sum();
  }
  const Tensor all_images = gather_with_gradient(input.image, ranks);
  const Tensor back_scores = at::mm(input.text, all_images.t()) * scale;
  return 0.5 * (softmax_part(scores, positive, valid_columns) +
                softmax_part(back_scores, positive, valid_columns));
}

std::int64_t contrastive_key(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return static_cast<std::int64_t>(hash >> 1U);
}

}  // namespace nolens::train
