// Rows of several contexts through the decoder.
#include "engine/batch_step.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/check.h"

namespace nolens {

BatchStep::BatchStep(const Model::Impl& model)
    : model_(model),
      hidden_size_(model.config.text.hidden_size),
      vocab_size_(model.config.text.vocab_size) {}

void BatchStep::begin(std::span<const StepPart> parts) {
  NOLENS_CHECK(!running_ && !parts.empty());
  const std::lock_guard lock(model_.runtime->mutex);
  parts_.assign(parts.begin(), parts.end());
  blocks_.clear();
  sequences_.clear();
  begins_.clear();
  rows_ = 0;
  next_layer_ = 0;
  seconds_ = {};
  for (const StepPart& part : parts_) {
    Context& context = *part.context;
    NOLENS_CHECK(part.rows > 0 && context.cached_length() + part.rows <= context.length());
    context.cache().reserve(part.rows);
    blocks_.push_back(context.vision_blocks());
    begins_.push_back(context.cached_length());
    rows_ += part.rows;
  }
  if (x_.size() < rows_ * hidden_size_) {
    x_ = AlignedBuffer<float>();  // both at once would be twice the memory
    x_ = AlignedBuffer<float>(rows_ * hidden_size_, Unset{});
  }
  std::int64_t row = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Context& context = *parts_[i].context;
    const std::int64_t count = parts_[i].rows;
    context.embed_rows(begins_[i], begins_[i] + count, x().row_range(row, row + count), seconds_);
    sequences_.push_back({&context.cache(), count, blocks_[i], context.options().mask_rule});
    row += count;
  }
  running_ = true;
}

bool BatchStep::run(std::size_t layers) {
  NOLENS_CHECK(running_ && layers > 0);
  const std::lock_guard lock(model_.runtime->mutex);
  const ThreadPin pin = model_.runtime->pool.pin_caller();
  const std::size_t count = model_.config.text.layers.size();
  const std::size_t end = next_layer_ + std::min(layers, count - next_layer_);
  try {
    model_.runtime->decoder->forward_layers(sequences_, x(), {next_layer_, end});
    next_layer_ = end;
    if (end < count) {
      return false;
    }
    Decoder::finish(sequences_);
    project();
  } catch (...) {
    abandon();
    throw;
  }
  running_ = false;
  for (const StepPart& part : parts_) {
    part.context->drop_computed_media();
  }
  return true;
}

void BatchStep::project() {
  kept_.assign(parts_.size(), -1);
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].context->cached_length() == parts_[i].context->length()) {
      kept_[i] = kept++;
    }
  }
  if (kept == 0) {
    return;
  }
  if (logits_.size() < kept * vocab_size_) {
    logits_ = AlignedBuffer<float>(kept * vocab_size_, Unset{});
    last_ = AlignedBuffer<float>(kept * hidden_size_, Unset{});
  }
  std::int64_t row = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    row += parts_[i].rows;
    if (kept_[i] >= 0) {
      std::memcpy(last_.data() + kept_[i] * hidden_size_, x().row(row - 1),
                  static_cast<std::size_t>(hidden_size_) * sizeof(float));
    }
  }
  model_.runtime->decoder->lm_head({last_.data(), kept, hidden_size_}, {logits_.data(), kept, vocab_size_});
}

void BatchStep::take_logits(std::size_t index) {
  NOLENS_CHECK(!running_ && index < kept_.size());
  if (kept_[index] < 0) {
    return;
  }
  parts_[index].context->take_row(
      {logits_.data() + kept_[index] * vocab_size_, static_cast<std::size_t>(vocab_size_)},
      {last_.data() + kept_[index] * hidden_size_, static_cast<std::size_t>(hidden_size_)});
}

void BatchStep::add_hidden_states(std::size_t index, std::span<double> sums) {
  NOLENS_CHECK(!running_ && index < parts_.size());
  std::int64_t first = 0;
  for (std::size_t i = 0; i < index; ++i) {
    first += parts_[i].rows;
  }
  const std::lock_guard lock(model_.runtime->mutex);
  const Matrix rows = x().row_range(first, first + parts_[index].rows);
  model_.runtime->decoder->final_norm(rows);
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    const float* values = rows.row(row);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] += static_cast<double>(values[i]);
    }
  }
}

void BatchStep::abandon() {
  running_ = false;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    parts_[i].context->abandon_step(begins_[i]);
  }
}

}  // namespace nolens
