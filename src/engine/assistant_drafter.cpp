// The steps of a draft.
#include "engine/assistant_drafter.h"

#include <algorithm>
#include <mutex>

#include "engine/assistant_impl.h"

namespace nolens {

AssistantDrafter::AssistantDrafter(std::shared_ptr<const Assistant> assistant)
    : assistant_(std::move(assistant)),
      input_(2 * assistant_->impl().config.backbone_hidden_size),
      x_(assistant_->impl().config.decoder.text.hidden_size),
      logits_(assistant_->impl().config.decoder.text.vocab_size) {}

void AssistantDrafter::propose(Context& context, std::int64_t most, std::vector<TokenId>& draft) {
  const std::lock_guard lock(context.model().runtime->mutex);
  const ThreadPin pin = context.model().runtime->pool.pin_caller();
  const std::span<const float> hidden = context.hidden_state();
  std::copy(hidden.begin(), hidden.end(), input_.data() + hidden.size());
  TokenId token = context.ids().back();
  for (std::int64_t i = 0; i < most; ++i) {
    token = step(context, token);
    if (!may_be_drafted(token, context.model())) {
      return;
    }
    draft.push_back(token);
  }
}

TokenId AssistantDrafter::step(Context& context, TokenId token) {
  const Assistant::Impl& assistant = assistant_->impl();
  Runtime& runtime = *context.model().runtime;
  const std::int64_t width = assistant.config.backbone_hidden_size;
  const Matrix x{x_.data(), 1, x_.size()};
  runtime.token_embedder->embed({&token, 1}, {input_.data(), 1, width});
  runtime.kernels->linear(Matrix{input_.data(), 1, 2 * width}, assistant.pre_projection, {}, x);
  const StepSequence sequence{.cache = &context.cache(),
                              .row_count = 1,
                              .blocks = {},
                              .borrowed_layers = assistant.target_layers};
  assistant.decoder->forward({&sequence, 1}, x);
  assistant.decoder->lm_head(x, {logits_.data(), 1, logits_.size()});
  runtime.kernels->linear(x, assistant.post_projection, {}, {input_.data() + width, 1, width});
  return static_cast<TokenId>(std::ranges::max_element(logits_.span()) - logits_.span().begin());
}

}  // namespace nolens
