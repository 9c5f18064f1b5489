// The losses of a training step, each as a sum divided by a given number, so that parts of a batch
// on several ranks add up to the loss of the whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "batch.h"
#include "distributed.h"
#include "groups.h"

namespace nolens::train {

struct AnswerLoss {
  at::Tensor sum;                   ///< cross-entropy summed over the batch's answer tokens
  std::vector<std::uint8_t> right;  ///< [B * K]: 1 if every answer token has the largest logit
};

/// logits [R, vocabulary] of batch.target_rows. Greedy decoding gives the reference answer exactly
/// where `right` is 1.
AnswerLoss answer_loss(const at::Tensor& logits, const Batch& batch);

/// Mean of the picture rows of each group, [B, hidden]; zero for groups without a picture.
at::Tensor mean_picture_row(const at::Tensor& prefix_rows, const Batch& batch);

/// Shape, colour and centre of own drawings, read from the mean picture row: puts a gradient on the
/// pixels before answers do. predictions [B, 13]; groups without label count nothing. Summed.
at::Tensor scaffold_loss(const at::Tensor& predictions, const std::vector<Group>& groups);

enum class ContrastiveKind : std::uint8_t { kSigmoid, kSoftmax };

/// Inputs of the contrastive loss on one rank. Every rank passes the same number of rows.
struct ContrastiveInput {
  at::Tensor image;       ///< [n, width], unit rows
  at::Tensor text;        ///< [n, width], unit rows
  at::Tensor image_keys;  ///< int64 [n]: equal keys are the same picture; -1 = no pair in this row
  at::Tensor text_keys;   ///< int64 [n]: equal keys are the same text
  at::Tensor log_scale;   ///< [1]
  at::Tensor bias;        ///< [1], sigmoid only
};

/// Pairs of the same text or the same picture attract, all others repel. kSigmoid: SigLIP (Zhai et
/// al. 2023). kSoftmax: both directions of CLIP's loss (Radford et al. 2021) with equal shares for
/// all positives. Returns this rank's part of the sum over the rows of all ranks.
at::Tensor contrastive_loss(const ContrastiveInput& input, ContrastiveKind kind,
                            const RankGroup& ranks);

/// Stable 63-bit key of a text or a picture name.
std::int64_t contrastive_key(const std::string& text);

}  // namespace nolens::train
