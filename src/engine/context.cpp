// Prefill and decode steps of one session.
#include "engine/context.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <string>

#include "core/check.h"
#include "engine/chunk_plan.h"
#include "engine/seconds_since.h"

namespace nolens {

namespace {

constexpr std::int64_t kDefaultContext = 8192;
/// Rows of logits computed at once when every position is wanted: bounds the buffer to 16 MiB for the
/// largest vocabulary.
constexpr std::int64_t kLogitRows = 16;

std::int64_t choose_context_length(const ModelConfig& config, std::int64_t wanted) {
  const std::int64_t most = config.text.max_position_embeddings;
  if (wanted < 0 || wanted > most) {
    throw Error(ErrorCode::kUsage, "context length " + std::to_string(wanted) +
                                       ": expected 1 to " + std::to_string(most) +
                                       ", the model's limit, or 0 for the default");
  }
  return wanted != 0 ? wanted : std::min(most, kDefaultContext);
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model, const SessionOptions& options)
    : model_(std::move(model)),
      options_(options),
      context_length_(choose_context_length(model_->config(), options.context_length)),
      cache_(model_->config().text, model_->impl().kv_type(options.kv_cache), context_length_),
      logits_(model_->config().text.vocab_size),
      hidden_(model_->config().text.hidden_size) {
  if (options.prefill_chunk < 1) {
    throw Error(ErrorCode::kUsage, "prefill chunk " + std::to_string(options.prefill_chunk) +
                                       ": expected at least 1 row");
  }
}

Context Context::clone() const {
  Context copy(model_, options_);
  copy.ids_ = ids_;
  copy.media_ = media_;
  copy.cache_ = cache_.clone();
  std::memcpy(copy.logits_.data(), current(logits_, copy.logits_.size()).data(),
              copy.logits_.span().size_bytes());
  std::memcpy(copy.hidden_.data(), current(hidden_, copy.hidden_.size()).data(),
              copy.hidden_.span().size_bytes());
  copy.has_logits_ = has_logits_;
  if (!ahead_.empty()) {
    copy.cache_.rewind(computed());
  }
  return copy;
}

std::span<const float> Context::logits() const {
  if (!has_logits_) {
    throw Error(ErrorCode::kUsage, "the session has no logits yet: append a prompt first");
  }
  return current(logits_, model_->config().text.vocab_size);
}

std::span<const float> Context::hidden_state() const {
  if (!has_logits_) {
    throw Error(ErrorCode::kUsage, "the session has no hidden state yet: append a prompt first");
  }
  return current(hidden_, model_->config().text.hidden_size);
}

void require_tokens(std::int64_t count) {
  if (count == 0) {
    throw Error(ErrorCode::kInput, "the prompt is empty: give at least one token of text");
  }
}

void check_fits(std::int64_t tokens, std::int64_t context_length, const ModelConfig& config) {
  if (tokens > context_length) {
    throw Error(ErrorCode::kInput,
                "the prompt needs " + std::to_string(tokens) + " tokens, but the context holds " +
                    std::to_string(context_length) +
                    "; shorten the text, lower --image-tokens or raise --ctx (up to " +
                    std::to_string(config.text.max_position_embeddings) + ")");
  }
}

void Context::check_room(std::int64_t count) const {
  check_fits(length() + count, context_length_, model_->config());
}

void Context::extend(TokenSequence sequence) {
  ids_.insert(ids_.end(), sequence.ids.begin(), sequence.ids.end());
  std::move(sequence.media.begin(), sequence.media.end(), std::back_inserter(media_));
}

bool Context::can_truncate(std::int64_t length) const noexcept {
  return cache_.can_rewind(std::min(length, cache_.end()));
}

void Context::ensure_logits() {
  if (cache_.end() == length() && !has_logits_ && length() > 0 &&
      cache_.can_rewind(length() - 1)) {
    cache_.rewind(length() - 1);  // never inside a vision block: an end marker follows each
  }
  if (cache_.end() < length()) {
    compute({});
  }
}

void Context::truncate(std::int64_t length) {
  drop_ahead();
  cache_.rewind(std::min(length, cache_.end()));
  ids_.resize(static_cast<std::size_t>(length));
  while (!media_.empty() && media_.back().end > length) {
    MediaSpan& span = media_.back();
    if (span.begin < length && !span.is_block()) {
      span.end = length;  // the rest of a sound is forgotten
      break;
    }
    NOLENS_CHECK(span.begin >= length);
    media_.pop_back();
  }
  has_logits_ = false;
}

std::int64_t Context::common_prefix(const TokenSequence& sequence) const {
  return shared_prefix(ids_, media_, sequence);
}

std::int64_t Context::reusable_prefix(const TokenSequence& sequence) const {
  std::int64_t keep =
      std::min(common_prefix(sequence), static_cast<std::int64_t>(sequence.ids.size()) - 1);
  for (const MediaSpan& span : sequence.media) {
    if (span.begin < keep && keep < span.end) {
      keep = span.begin;
    }
  }
  return keep;
}

std::int64_t Context::replace_by(TokenSequence sequence) {
  const std::int64_t wanted = reusable_prefix(sequence);
  const std::int64_t keep = can_truncate(wanted) ? wanted : 0;
  truncate(keep);
  sequence.ids.erase(sequence.ids.begin(), sequence.ids.begin() + keep);
  std::erase_if(sequence.media, [&](const MediaSpan& span) { return span.end <= keep; });
  extend(std::move(sequence));
  return keep;
}

std::vector<VisionBlock> Context::vision_blocks() const {
  std::vector<VisionBlock> blocks;
  for (const MediaSpan& span : media_) {
    if (span.is_block()) {
      blocks.push_back({span.begin, span.end});
    }
  }
  return blocks;
}

MediaSeconds Context::compute(const AppendOptions& options, const StepObserver& observer) {
  NOLENS_CHECK(ahead_.empty());
  const std::int64_t begin = cache_.end();
  const std::vector<VisionBlock> blocks = vision_blocks();
  MediaSeconds seconds;
  try {
    for (const Chunk& chunk : plan_chunks(begin, length(), options_.prefill_chunk, blocks)) {
      compute_chunk(chunk.begin, chunk.end, blocks, chunk.end == length() ? 1 : 0, options, observer,
                    seconds);
      if (options.progress) {
        options.progress(static_cast<double>(chunk.end - begin) /
                         static_cast<double>(length() - begin));
      }
    }
  } catch (...) {
    abandon_step(begin);
    throw;
  }
  drop_computed_media();
  return seconds;
}

/// Nothing that is computed is ever computed again: whoever takes a position away takes those behind it
/// and their media too.
void Context::drop_computed_media() {
  for (MediaSpan& span : media_) {
    if (span.end <= cache_.end()) {
      span.drop_content();
    }
  }
}

void Context::abandon_step(std::int64_t begin) {
  has_logits_ = false;
  ahead_.clear();
  if (cache_.can_rewind(begin)) {
    cache_.rewind(begin);
  } else {
    truncate(0);
  }
}

void Context::compute_ahead(std::span<const TokenId> draft) {
  NOLENS_CHECK(ahead_.empty() && cache_.end() + 1 == length());
  const std::int64_t begin = cache_.end();
  const auto rows = static_cast<std::int64_t>(draft.size()) + 1;
  try {
    ahead_.assign(draft.begin(), draft.end());
    ids_.insert(ids_.end(), draft.begin(), draft.end());
    MediaSeconds seconds;
    compute_chunk(begin, begin + rows, vision_blocks(), rows, {}, {}, seconds);
    ids_.resize(static_cast<std::size_t>(begin + 1));
  } catch (...) {
    ids_.resize(static_cast<std::size_t>(begin + 1));
    abandon_step(begin);
    throw;
  }
}

bool Context::follow_ahead() {
  const auto row = static_cast<std::size_t>(row_);
  if (row < ahead_.size() && ids_.back() == ahead_[row]) {
    use_row(row_ + 1, length() - 1);
    return true;
  }
  drop_ahead();
  return false;
}

void Context::drop_ahead() {
  if (!ahead_.empty()) {
    cache_.rewind(computed());
    ahead_.clear();
  }
}

/// Fills x [T, D] with scaled token embeddings and, at placeholders, soft tokens.
void Context::embed_rows(std::int64_t begin, std::int64_t end, Matrix x, MediaSeconds& seconds) {
  model().runtime->token_embedder->embed(
      std::span(ids_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
      x);
  for (const MediaSpan& span : media_) {
    const std::int64_t first = std::max(begin, span.begin);
    const std::int64_t last = std::min(end, span.end);
    if (first >= last) {
      continue;
    }
    const Matrix rows = x.row_range(first - begin, last - begin);
    if (const auto* picture = std::get_if<ImageMedia>(&span.content)) {
      embed_picture(*picture, span.name, rows, seconds);
    } else {
      const auto start = std::chrono::steady_clock::now();
      model().runtime->audio_embedder->embed(std::get<AudioMedia>(span.content).samples,
                                             first - span.begin, rows);
      seconds.embed += seconds_since(start);
    }
  }
}

/// rows [patches, D]
void Context::embed_picture(const ImageMedia& picture, const std::string& name, Matrix rows,
                            MediaSeconds& seconds) {
  const ModelConfig& config = model_->config();
  const auto start = std::chrono::steady_clock::now();
  const PatchGrid grid =
      image_to_patches(picture.image, *config.vision, processor_for(config, picture.is_frame),
                       picture.budget, name, &model().runtime->pool);
  const auto cut = std::chrono::steady_clock::now();
  NOLENS_CHECK(grid.num_patches() == rows.rows);
  model().runtime->image_embedder->embed(grid, rows);
  seconds.preprocess += std::chrono::duration<double>(cut - start).count();
  seconds.embed += seconds_since(cut);
}

void Context::compute_chunk(std::int64_t begin, std::int64_t end,
                            std::span<const VisionBlock> blocks, std::int64_t kept_rows,
                            const AppendOptions& options, const StepObserver& observer,
                            MediaSeconds& seconds) {
  const std::lock_guard lock(model().runtime->mutex);
  const ThreadPin pin = model().runtime->pool.pin_caller();
  const std::int64_t rows = end - begin;
  const std::int64_t hidden_size = model_->config().text.hidden_size;
  cache_.reserve(rows);
  if (x_.size() < rows * hidden_size) {
    x_ = AlignedBuffer<float>(rows * hidden_size);
  }
  const Matrix x{x_.data(), rows, hidden_size};
  embed_rows(begin, end, x, seconds);
  const StepSequence sequence{&cache_, rows, blocks, options_.mask_rule};
  if (observer.on_embeddings) {
    observer.on_embeddings(begin, x);
  }
  LayerObserver on_layer;
  if (observer.on_layer) {
    on_layer = [&](std::size_t layer, ConstMatrix state) { observer.on_layer(layer, begin, state); };
  }
  model().runtime->decoder->forward({&sequence, 1}, x, on_layer);
  project_rows(begin, x, kept_rows, options, observer);
}

/// Logits of every row if they are wanted, otherwise of the rows to keep.
void Context::project_rows(std::int64_t begin, Matrix x, std::int64_t kept_rows,
                           const AppendOptions& options, const StepObserver& observer) {
  Decoder& decoder = *model().runtime->decoder;
  const std::int64_t vocab_size = model_->config().text.vocab_size;
  const std::int64_t first_kept = x.rows - kept_rows;
  if (options.on_logits) {
    AlignedBuffer<float> logits(std::min(kLogitRows, x.rows) * vocab_size);
    for (std::int64_t first = 0; first < first_kept; first += kLogitRows) {
      const std::int64_t count = std::min(kLogitRows, first_kept - first);
      const Matrix out{logits.data(), count, vocab_size};
      decoder.lm_head(x.row_range(first, first + count), out);
      if (observer.on_final_norm) {
        observer.on_final_norm(begin + first, x.row_range(first, first + count));
      }
      for (std::int64_t i = 0; i < count; ++i) {
        options.on_logits(begin + first + i, {out.row(i), static_cast<std::size_t>(vocab_size)});
      }
    }
  }
  if (kept_rows == 0) {
    return;
  }
  const Matrix kept = x.row_range(first_kept, x.rows);
  if (logits_.size() < kept_rows * vocab_size) {
    logits_ = AlignedBuffer<float>(kept_rows * vocab_size, Unset{});
    hidden_ = AlignedBuffer<float>(kept_rows * x.cols, Unset{});
  }
  decoder.lm_head(kept, {logits_.data(), kept_rows, vocab_size});
  if (observer.on_final_norm) {
    observer.on_final_norm(begin + first_kept, kept);
  }
  std::memcpy(hidden_.data(), kept.data, static_cast<std::size_t>(kept.rows * kept.cols) * sizeof(float));
  use_row(0, begin + first_kept);
  if (options.on_logits) {
    options.on_logits(begin + first_kept, logits());
  }
}

void Context::take_row(std::span<const float> logits, std::span<const float> hidden) {
  std::memcpy(logits_.data(), logits.data(), logits.size_bytes());
  std::memcpy(hidden_.data(), hidden.data(), hidden.size_bytes());
  use_row(0, cache_.end() - 1);
}

void Context::use_row(std::int64_t row, std::int64_t position) {
  row_ = row;
  has_logits_ = true;
  const std::span<const float> values = logits();
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    has_logits_ = false;
    throw Error(ErrorCode::kModel,
                "model '" + model_->config().name + "': the logits at position " +
                    std::to_string(position) +
                    " are not finite; a weight or an activation overflowed: try --exact or check the "
                    "model files");
  }
}

}  // namespace nolens
