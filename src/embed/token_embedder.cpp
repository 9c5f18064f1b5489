// Table lookup with the reference's scale.
#include "embed/token_embedder.h"

#include <algorithm>
#include <cmath>

#include "core/float16.h"

namespace nolens {

float embedding_scale(const ModelConfig& config, bool exact) {
  const auto scale = static_cast<float>(std::sqrt(static_cast<double>(config.text.hidden_size)));
  if (exact) {
    return scale;
  }
  switch (config.source_dtype) {
    case SourceDtype::kBfloat16: return to_float(to_bf16(scale));
    case SourceDtype::kFloat16: return to_float(to_f16(scale));
    case SourceDtype::kFloat32: break;
  }
  return scale;
}

TokenEmbedder::TokenEmbedder(const ModelConfig& config, const WeightMatrix& embed_tokens, bool exact,
                             Kernels& kernels)
    : tokens_(config.tokens),
      embed_tokens_(embed_tokens),
      scale_(embedding_scale(config, exact)),
      kernels_(kernels) {}

void TokenEmbedder::embed(std::span<const TokenId> ids, Matrix y) {
  ids_.assign(ids.begin(), ids.end());
  std::replace_if(
      ids_.begin(), ids_.end(),
      [&](TokenId id) { return id == tokens_.image || id == tokens_.audio || id == tokens_.video; },
      tokens_.pad);
  kernels_.embed_rows(ids_, embed_tokens_, scale_, y);
}

}  // namespace nolens
