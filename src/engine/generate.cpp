// The only token loop in the project.
#include <algorithm>
#include <chrono>

#include "engine/context.h"
#include "engine/drafted_steps.h"
#include "engine/session_impl.h"
#include "nolens/session.h"
#include "sampler/sampler.h"
#include "text/stop_matcher.h"
#include "text/streaming_decoder.h"

namespace nolens {

namespace {

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

}  // namespace

GenerateResult Session::generate(const GenerateOptions& options, const TokenCallback& on_token) {
  Context& context = impl_->context;
  const Model::Impl& model = context.model();
  validate(options, model);
  context.ensure_logits();
  SamplerOptions sampler_options = options.sampler;
  sampler_options.suppress_tokens.insert(sampler_options.suppress_tokens.end(),
                                         model.suppressed_tokens.begin(),
                                         model.suppressed_tokens.end());
  Sampler sampler(std::move(sampler_options), context.ids(), model.config.text.vocab_size);
  StreamingDecoder decoder(model.tokenizer);
  StopMatcher stop_matcher(options.stop);
  DraftedSteps steps(context, options.draft);
  GenerateResult result;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto deliver = [&](TokenEvent event, std::string_view text) {
    result.text += text;
    event.text = text;
    return !on_token || on_token(event);
  };

  bool wanted = true;
  while (true) {
    const std::span<const float> logits = context.logits();
    const TokenId id = sampler.sample(logits);
    if (result.tokens.empty()) {
      result.first_token_seconds = elapsed();
    }
    const bool end = std::find(model.stop_tokens.begin(), model.stop_tokens.end(), id) !=
                     model.stop_tokens.end();
    TokenEvent event{.id = id};
    if (options.logprobs) {
      event.logprob = Sampler::logprob(logits, id);
      event.top_logprobs = Sampler::top_logprobs(logits, options.top_logprobs);
    }
    context.extend_by(id);
    if (end) {
      break;
    }
    result.tokens.push_back(id);
    const bool hidden = model.hidden_tokens[static_cast<std::size_t>(id)];
    wanted = deliver(std::move(event),
                     stop_matcher.push(hidden ? std::string() : decoder.push(id)));
    if (stop_matcher.stopped()) {
      break;
    }
    if (!wanted) {
      result.finish_reason = FinishReason::kCancelled;
      break;
    }
    const std::int64_t remaining =
        std::min(options.max_tokens - static_cast<std::int64_t>(result.tokens.size()),
                 context.context_length() - context.length());
    if (remaining <= 0) {
      result.finish_reason = FinishReason::kLength;
      break;
    }
    steps.step(remaining);
  }
  if (!stop_matcher.stopped()) {
    std::string rest = stop_matcher.push(decoder.finish());
    rest += stop_matcher.finish();
    if (!rest.empty()) {
      deliver({.id = -1}, rest);
    }
  }
  result.decode_seconds = elapsed() - result.first_token_seconds;
  result.draft = steps.stats();
  return result;
}

}  // namespace nolens
