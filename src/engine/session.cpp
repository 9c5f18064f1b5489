// The public Session over a Context.
#include "nolens/session.h"

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "engine/context.h"
#include "engine/session_impl.h"
#include "preprocess/audio_to_frames.h"

namespace nolens {

namespace {

/// Computes what waits, with times. On error everything from `length` on is taken out again.
void run(Context& context, std::int64_t length, const AppendOptions& options, AppendResult& result) {
  const auto start = std::chrono::steady_clock::now();
  try {
    const MediaSeconds media = context.compute(options);
    result.preprocess_seconds = media.preprocess;
    result.embed_seconds = media.embed;
  } catch (...) {
    context.truncate(std::min(length, context.length()));
    throw;
  }
  const std::chrono::duration<double> total = std::chrono::steady_clock::now() - start;
  result.prefill_seconds = total.count() - result.preprocess_seconds;
}


}  // namespace

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(Context(std::move(model), options))) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

AppendResult Session::append(const Prompt& prompt, const AppendOptions& options) {
  Context& context = impl_->context;
  TokenSequence sequence =
      lay_out_prompt(context.model().config, context.model().tokenizer, prompt,
                     context.options().image_tokens, context.length());
  require_tokens(static_cast<std::int64_t>(sequence.ids.size()));
  context.check_room(static_cast<std::int64_t>(sequence.ids.size()));
  AppendResult result = describe(sequence);
  const std::int64_t length = context.length();
  context.extend(std::move(sequence));
  run(context, length, options, result);
  return result;
}

AppendResult Session::set_context(const Prompt& prompt, const AppendOptions& options) {
  Context& context = impl_->context;
  TokenSequence sequence = lay_out_prompt(context.model().config, context.model().tokenizer, prompt,
                                          context.options().image_tokens, 0);
  require_tokens(static_cast<std::int64_t>(sequence.ids.size()));
  AppendResult result = describe(sequence);
  if (static_cast<std::int64_t>(sequence.ids.size()) > context.context_length()) {
    context.check_room(static_cast<std::int64_t>(sequence.ids.size()) - context.length());
  }
  result.cached_tokens = context.replace_by(std::move(sequence));
  run(context, result.cached_tokens, options, result);
  return result;
}

AppendResult Session::append_ids(std::span<const TokenId> ids, const AppendOptions& options) {
  Context& context = impl_->context;
  const ModelConfig& config = context.model().config;
  for (const TokenId id : ids) {
    if (id < 0 || id >= config.text.vocab_size) {
      throw Error(ErrorCode::kInput, "token id " + std::to_string(id) + ": expected 0 to " +
                                         std::to_string(config.text.vocab_size - 1));
    }
    if (id == config.tokens.image || id == config.tokens.audio || id == config.tokens.video) {
      throw Error(ErrorCode::kInput, "token id " + std::to_string(id) +
                                         " is a media placeholder, which plain ids cannot fill; "
                                         "give the media in a message");
    }
  }
  require_tokens(static_cast<std::int64_t>(ids.size()));
  context.check_room(static_cast<std::int64_t>(ids.size()));
  TokenSequence sequence;
  sequence.ids.assign(ids.begin(), ids.end());
  AppendResult result = describe(sequence);
  const std::int64_t length = context.length();
  context.extend(std::move(sequence));
  run(context, length, options, result);
  return result;
}

std::span<const float> Session::logits() const { return impl_->context.logits(); }
std::span<const float> Session::hidden_state() const { return impl_->context.hidden_state(); }
std::int64_t Session::position() const noexcept { return impl_->context.length(); }
std::int64_t Session::context_length() const noexcept { return impl_->context.context_length(); }
std::int64_t Session::kv_bytes() const noexcept { return impl_->context.kv_bytes(); }

void Session::rewind(std::int64_t position) {
  Context& context = impl_->context;
  if (position < 0 || position > context.length()) {
    throw Error(ErrorCode::kUsage, "rewind to position " + std::to_string(position) +
                                       ": expected 0 to " + std::to_string(context.length()));
  }
  if (!context.can_truncate(position)) {
    throw Error(ErrorCode::kUsage, "rewind to position " + std::to_string(position) +
                                       ": the sliding layers no longer hold the keys before it; "
                                       "start again with set_context()");
  }
  context.truncate(position);
}

Session Session::fork() const {
  return Session(std::make_unique<Impl>(impl_->context.clone()));
}

std::vector<Audio> split_at_pauses(const Model& model, const Audio& audio) {
  const ModelConfig& config = model.config();
  if (!config.audio.has_value()) {
    throw Error(ErrorCode::kInput,
                "the model '" + config.name + "' takes no sound; choose a model that does");
  }
  const std::int64_t frame_size = config.audio->audio_embed_dim;
  std::vector<Audio> pieces;
  std::int64_t begin = 0;
  for (const std::int64_t end :
       pause_cuts(audio.samples, config.audio->audio_seq_length * frame_size, frame_size)) {
    pieces.push_back({{audio.samples.begin() + begin, audio.samples.begin() + end}});
    begin = end;
  }
  return pieces;
}

AppendResult layout_prompt(const Model& model, const Prompt& prompt,
                           const SessionOptions& options) {
  return describe(lay_out_prompt(model.config(), model.tokenizer(), prompt, options.image_tokens, 0));
}

}  // namespace nolens
