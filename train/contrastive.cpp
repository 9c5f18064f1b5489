#include "contrastive.h"

#include <algorithm>

#include "loss.h"

namespace nolens::train {
namespace {

using at::Tensor;

constexpr double kSmallestNorm = 1e-6;

}  // namespace

Embedder::Embedder(const ModelConfig& config, const ParameterSet& parameters,
                   const Decoder& decoder)
    : config_(config), parameters_(parameters), decoder_(decoder) {}

Tensor Embedder::project(const Tensor& rows, const std::string& side) const {
  const std::string name = "train.contrastive." + side;
  const Tensor projected = parameters_.has(name) ? at::mm(rows, parameters_.get(name).t()) : rows;
  return projected / projected.norm(2, {1}, true).clamp_min(kSmallestNorm);
}

Tensor Embedder::pictures(const Tensor& final_prefix, const Batch& batch) const {
  return project(mean_picture_row(final_prefix, batch), "image");
}

Tensor Embedder::texts(const std::vector<std::vector<TokenId>>& texts, at::Device device) const {
  const Batch batch = collate_texts(texts, config_, device);
  const Tensor rows = decoder_.forward(batch, {true, false}).final_prefix;
  Tensor weights = at::zeros({batch.groups, batch.prefix_rows, 1}, at::kFloat);
  auto cell = weights.accessor<float, 3>();
  for (std::int64_t i = 0; i < batch.groups; ++i) {
    const auto length = static_cast<std::int64_t>(texts[static_cast<std::size_t>(i)].size());
    for (std::int64_t t = 1; t < length; ++t) {
      cell[i][t][0] = 1.0F / static_cast<float>(length - 1);
    }
  }
  const Tensor by_text = rows.view({batch.groups, batch.prefix_rows, rows.size(1)});
  return project((by_text * weights.to(device)).sum(1), "text");
}

bool has_pair(const Group& group) noexcept {
  return !group.pictures.empty() && group.caption.size() > 1;
}

CaptionPairs caption_pairs(const std::vector<Group>& groups, TokenId bos) {
  CaptionPairs pairs;
  for (const Group& group : groups) {
    const bool pair = has_pair(group);
    pairs.texts.push_back(pair ? group.caption : std::vector<TokenId>{bos});
    pairs.image_keys.push_back(pair ? contrastive_key(group.picture_key) : -1);
    std::string text;
    for (const TokenId token : group.caption) {
      text += std::to_string(token) + ' ';
    }
    pairs.text_keys.push_back(contrastive_key(text));
  }
  return pairs;
}

}  // namespace nolens::train
