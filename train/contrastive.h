// Picture and text embeddings: what the contrastive loss aligns and retrieval compares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "batch.h"
#include "groups.h"
#include "modules.h"
#include "parameters.h"

namespace nolens::train {

/// Means over the final layer's rows, projected if the parameter set has the contrastive
/// projections, of unit length. Picture and text go through the decoder as separate sequences: the
/// text never sees its picture.
class Embedder {
 public:
  /// Keeps references.
  Embedder(const ModelConfig& config, const ParameterSet& parameters, const Decoder& decoder);

  /// [B, width] from the final prefix rows of a batch.
  [[nodiscard]] at::Tensor pictures(const at::Tensor& final_prefix, const Batch& batch) const;
  /// [n, width] of token sequences that begin with <bos>, which does not count.
  [[nodiscard]] at::Tensor texts(const std::vector<std::vector<TokenId>>& texts,
                                 at::Device device) const;

 private:
  [[nodiscard]] at::Tensor project(const at::Tensor& rows, const std::string& side) const;

  const ModelConfig& config_;
  const ParameterSet& parameters_;
  const Decoder& decoder_;
};

/// Pairs of a batch: captions (or a lone <bos> where there is none) and keys, see ContrastiveInput.
struct CaptionPairs {
  std::vector<std::vector<TokenId>> texts;
  std::vector<std::int64_t> image_keys;
  std::vector<std::int64_t> text_keys;
};
CaptionPairs caption_pairs(const std::vector<Group>& groups, TokenId bos);

/// Whether the group has both a picture and a caption.
bool has_pair(const Group& group) noexcept;

}  // namespace nolens::train
