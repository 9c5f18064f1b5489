// Drafts by a small model that reads the keys and values of the large one.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "nolens/assistant.h"

#include "core/aligned_buffer.h"
#include "engine/drafter.h"

namespace nolens {

/// One draft step, with e the target's scaled embedding of a token and h a hidden state of its
/// width:
///
///     x = decoder(pre_projection(e, h))     all steps of a draft at the position of the last token
///     next token = argmax(lm_head(x)),  next h = post_projection(norm(x))
///
/// The first token is the last one of the text, and its h the target's final-norm state of the
/// position that predicted it. That token's own keys do not exist yet, nor do those of the drafted
/// ones: every step sees what is before it.
class AssistantDrafter final : public Drafter {
 public:
  explicit AssistantDrafter(std::shared_ptr<const Assistant> assistant);

  void propose(Context& context, std::int64_t most, std::vector<TokenId>& draft) override;

  /// Of the latest step. [vocab_size]
  [[nodiscard]] std::span<const float> logits() const noexcept { return logits_.span(); }

 private:
  TokenId step(Context& context, TokenId token);

  std::shared_ptr<const Assistant> assistant_;
  AlignedBuffer<float> input_;   ///< [2 * target's hidden_size]: e, h
  AlignedBuffer<float> x_;       ///< [D]
  AlignedBuffer<float> logits_;  ///< [V]
};

}  // namespace nolens
