// The steps of a token loop.
#include "engine/generation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/drafted_steps.h"

namespace nolens {

namespace {

SamplerOptions sampler_options(const Model::Impl& model, const GenerateOptions& options) {
  SamplerOptions sampler = options.sampler;
  sampler.suppress_tokens.insert(sampler.suppress_tokens.end(), model.suppressed_tokens.begin(),
                                 model.suppressed_tokens.end());
  return sampler;
}

}  // namespace

void validate(const GenerateOptions& options, const Model::Impl& model) {
  if (options.max_tokens < 1) {
    throw Error(ErrorCode::kUsage, "max_tokens " + std::to_string(options.max_tokens) +
                                       ": expected at least 1");
  }
  if (options.top_logprobs < 0 || options.top_logprobs > 20) {
    throw Error(ErrorCode::kUsage, "top_logprobs " + std::to_string(options.top_logprobs) +
                                       ": expected 0 to 20");
  }
  validate(options.draft, model);
}

Generation::Generation(const Model::Impl& model, const GenerateOptions& options,
                       std::span<const TokenId> context)
    : model_(model),
      max_tokens_(options.max_tokens),
      top_logprobs_(options.top_logprobs),
      logprobs_(options.logprobs),
      sampler_(sampler_options(model, options), context, model.config.text.vocab_size),
      decoder_(model.tokenizer),
      stop_matcher_(options.stop) {
  validate(options, model);
}

TokenId Generation::draw(std::span<const float> logits) {
  const TokenId id = sampler_.sample(logits);
  if (result_.tokens.empty()) {
    result_.first_token_seconds = elapsed();
  }
  drawn_ = {.id = id};
  if (logprobs_) {
    drawn_.logprob = Sampler::logprob(logits, id);
    drawn_.top_logprobs = Sampler::top_logprobs(logits, top_logprobs_);
  }
  return id;
}

bool Generation::deliver(std::int64_t room, const TokenCallback& on_token) {
  const TokenId id = drawn_.id;
  done_ = true;
  if (std::find(model_.stop_tokens.begin(), model_.stop_tokens.end(), id) != model_.stop_tokens.end()) {
    return false;
  }
  result_.tokens.push_back(id);
  const bool hidden = model_.hidden_tokens[static_cast<std::size_t>(id)];
  const bool wanted = hand_on(std::move(drawn_),
                              stop_matcher_.push(hidden ? std::string() : decoder_.push(id)), on_token);
  if (stop_matcher_.stopped()) {
    return false;
  }
  if (!wanted) {
    result_.finish_reason = FinishReason::kCancelled;
    return false;
  }
  if (remaining(room) <= 0) {
    result_.finish_reason = FinishReason::kLength;
    return false;
  }
  done_ = false;
  return true;
}

std::int64_t Generation::remaining(std::int64_t room) const noexcept {
  return std::min(max_tokens_ - static_cast<std::int64_t>(result_.tokens.size()), room);
}

GenerateResult Generation::close(const TokenCallback& on_token) {
  if (!stop_matcher_.stopped()) {
    std::string rest = stop_matcher_.push(decoder_.finish());
    rest += stop_matcher_.finish();
    if (!rest.empty()) {
      hand_on({.id = -1}, rest, on_token);
    }
  }
  result_.decode_seconds = elapsed() - result_.first_token_seconds;
  return std::move(result_);
}

double Generation::elapsed() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

bool Generation::hand_on(TokenEvent event, std::string_view text, const TokenCallback& on_token) {
  result_.text += text;
  event.text = text;
  return !on_token || on_token(event);
}

}  // namespace nolens
