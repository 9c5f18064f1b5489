// Draft, verify in one pass, accept.
#include "engine/drafted_steps.h"

#include <algorithm>
#include <string>

#include "engine/assistant_drafter.h"
#include "engine/assistant_impl.h"
#include "engine/prompt_lookup.h"

namespace nolens {

namespace {

std::unique_ptr<Drafter> make_drafter(const Context& context, const DraftOptions& options) {
  switch (options.source) {
    case DraftSource::kOff: return nullptr;
    case DraftSource::kPromptLookup:
      return std::make_unique<PromptLookup>(context.context_length());
    case DraftSource::kAssistant: return std::make_unique<AssistantDrafter>(options.assistant);
  }
  return nullptr;
}

}  // namespace

bool may_be_drafted(TokenId id, const Model::Impl& model) {
  const SpecialTokens& tokens = model.config.tokens;
  return id != tokens.image && id != tokens.audio && id != tokens.video &&
         std::find(model.stop_tokens.begin(), model.stop_tokens.end(), id) ==
             model.stop_tokens.end();
}

void validate(const DraftOptions& options, const Model::Impl& model) {
  if (options.max_tokens < 1 || options.max_tokens > kMaxDraftTokens) {
    throw Error(ErrorCode::kUsage, "draft tokens " + std::to_string(options.max_tokens) +
                                       ": expected 1 to " + std::to_string(kMaxDraftTokens));
  }
  if (options.source != DraftSource::kAssistant) {
    return;
  }
  if (options.assistant == nullptr) {
    throw Error(ErrorCode::kUsage,
                "drafts by an assistant need one: load it with Assistant::load()");
  }
  if (&options.assistant->impl().target->impl() != &model) {
    throw Error(ErrorCode::kUsage,
                "the assistant was loaded for another model than the session's; load "
                "it for this one");
  }
}

DraftedSteps::DraftedSteps(Context& context, const DraftOptions& options)
    : context_(context), drafter_(make_drafter(context, options)), length_(options.max_tokens) {}

void DraftedSteps::step(std::int64_t remaining) {
  if (context_.follow_ahead()) {
    ++accepted_;
    ++stats_.accepted;
    return;
  }
  if (!draft_.empty()) {
    length_.record(static_cast<std::int64_t>(draft_.size()), accepted_);
  }
  draft_.clear();
  accepted_ = 0;
  if (drafter_ != nullptr) {
    // The pass gives one token more than were drafted.
    const std::int64_t most = std::min(length_.next(), remaining - 1);
    if (most > 0) {
      drafter_->propose(context_, most, draft_);
      cut_draft();
    }
  }
  context_.compute_ahead(draft_);
  ++stats_.passes;
  stats_.drafted += static_cast<std::int64_t>(draft_.size());
}

void DraftedSteps::cut_draft() {
  draft_.erase(std::find_if_not(draft_.begin(), draft_.end(),
                                [&](TokenId id) { return may_be_drafted(id, context_.model()); }),
               draft_.end());
}

}  // namespace nolens
