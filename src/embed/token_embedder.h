// Token ids -> rows of hidden size.
#pragma once

#include <span>

#include "core/matrix.h"
#include "kernels/kernels.h"
#include "nolens/config.h"

namespace nolens {

/// sqrt(hidden_size) rounded to the dtype of the weights, as the reference multiplies it: 62.0 for the
/// bfloat16 12B model. `exact` keeps the float32 value, as a float32 run of the reference does.
float embedding_scale(const ModelConfig& config, bool exact);

/// y[t] = embed_tokens[id] * scale. Media placeholders take the row of the pad token: their own rows
/// carry no meaning, and soft tokens replace them.     ids [T]; y [T, D]
class TokenEmbedder {
 public:
  TokenEmbedder(const ModelConfig& config, const WeightMatrix& embed_tokens, bool exact,
                Kernels& kernels);
  void embed(std::span<const TokenId> ids, Matrix y);

 private:
  const SpecialTokens& tokens_;
  WeightMatrix embed_tokens_;
  float scale_;
  Kernels& kernels_;
  std::vector<TokenId> ids_;
};

}  // namespace nolens
