// Groups packed into tensors.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "nolens/config.h"

#include "groups.h"

namespace nolens::train {

/// Shapes: B groups, P prefix rows (shorter prefixes padded at the end), K branches per group, L
/// rows per branch, S answer rows per branch, M patches, R targets. Without branches K = L = S = R
/// = 0.
struct Batch {
  std::int64_t groups = 0;         ///< B
  std::int64_t prefix_rows = 0;    ///< P
  std::int64_t branches = 0;       ///< K
  std::int64_t branch_rows = 0;    ///< L
  std::int64_t selected_rows = 0;  ///< S

  at::Tensor prefix_ids;        ///< int64 [B * P]; pad at image placeholders
  at::Tensor prefix_positions;  ///< int32 [B * P]
  at::Tensor patches;           ///< float [M, patch_values], undefined without pictures
  at::Tensor patch_x;           ///< int64 [M]
  at::Tensor patch_y;           ///< int64 [M]
  at::Tensor patch_rows;        ///< int64 [M], rows of [B * P] they replace
  at::Tensor patch_group;       ///< int64 [M], 0…B-1

  at::Tensor branch_ids;          ///< int64 [B * K * L]
  at::Tensor branch_positions;    ///< int32 [B * K * L]
  at::Tensor selected;            ///< int64 [B * K * S], rows of [B * K * L] whose successor counts
  at::Tensor selected_positions;  ///< int32 [B * K * S]
  at::Tensor target_rows;         ///< int64 [R], rows of [B * K * S]
  at::Tensor targets;             ///< int64 [R], token ids
  std::vector<std::int64_t> target_branch;  ///< [R], group * K + branch

  /// KeyRange of every query row, int32 [rows, 4], for each layer type.
  struct Ranges {
    at::Tensor prefix;    ///< [B * P, 4]
    at::Tensor branch;    ///< [B * K * L, 4]
    at::Tensor selected;  ///< [B * K * S, 4]
  };
  Ranges sliding;
  Ranges full;

  [[nodiscard]] const Ranges& ranges(LayerType type) const noexcept {
    return type == LayerType::kSlidingAttention ? sliding : full;
  }
  [[nodiscard]] std::int64_t targets_count() const noexcept {
    return static_cast<std::int64_t>(target_branch.size());
  }
};

/// Packs groups (at least one). `device` receives the tensors.
/// \throws Error{kInput} if a prefix's placeholders and its patches differ in number.
Batch collate(const std::vector<Group>& groups, const ModelConfig& config, at::Device device);

/// Packs token sequences without pictures and branches, for the text side of the contrastive loss.
Batch collate_texts(const std::vector<std::vector<TokenId>>& texts, const ModelConfig& config,
                    at::Device device);

}  // namespace nolens::train
