#include "conform/isolated_stages.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "nolens/session.h"

#include "conform/logits_comparer.h"
#include "conform/row_comparer.h"
#include "conform/verdict.h"
#include "core/aligned_buffer.h"
#include "engine/chunk_plan.h"
#include "engine/model_impl.h"

namespace nolens {
namespace {

constexpr std::int64_t kLogitRows = 16;  // bounds the buffer of logits

class Isolation {
 public:
  Isolation(const Reference& reference, const Model& model, const TokenSequence& sequence)
      : reference_(reference),
        model_(model.impl()),
        tokens_(static_cast<std::int64_t>(sequence.ids.size())),
        cache_(model_.config.text, model_.kv_type(), tokens_),
        buffer_(tokens_ * model_.config.text.hidden_size),
        x_(buffer_.data(), tokens_, model_.config.text.hidden_size) {
    for (const MediaSpan& span : sequence.media) {
      if (span.is_block()) {
        blocks_.push_back({span.begin, span.end});
      }
    }
  }

  /// The recorded state before `layer`, in x; false if it is not recorded.
  bool load_state_before(std::int64_t layer) {
    const auto tensor = layer == 0 ? reference_.input_embeddings(tokens_, x_.cols)
                                   : reference_.rule_tensor("hidden." + std::to_string(layer - 1),
                                                            tokens_, x_.cols);
    for (std::int64_t row = 0; tensor.has_value() && row < tokens_; ++row) {
      tensor->read_row(row, {x_.row(row), static_cast<std::size_t>(x_.cols)});
    }
    return tensor.has_value();
  }

  /// Runs layers begin … end - 1 on x.
  void run(std::int64_t begin, std::int64_t end) {
    cache_.rewind(0);
    const LayerRange layers{static_cast<std::size_t>(begin), static_cast<std::size_t>(end)};
    for (const Chunk& chunk : plan_chunks(0, tokens_, SessionOptions{}.prefill_chunk, blocks_)) {
      const std::int64_t rows = chunk.end - chunk.begin;
      cache_.reserve(rows);
      const StepSequence step{&cache_, rows, blocks_, reference_.mask_rule};
      const std::lock_guard lock(model_.runtime->mutex);
      model_.runtime->decoder->forward({&step, 1}, x_.row_range(chunk.begin, chunk.end), {},
                                       layers);
    }
  }

  [[nodiscard]] Difference difference(const std::string& name) const {
    RowComparer rows(*reference_.rule_tensor(name, tokens_, x_.cols), 0, 1);
    rows.add(0, x_);
    return rows.result();
  }

  /// Final norm of x in place, and its logits.
  LogitsComparer project() {
    const std::int64_t vocab_size = model_.config.text.vocab_size;
    LogitsComparer logits(reference_, tokens_, vocab_size);
    AlignedBuffer<float> buffer(kLogitRows * vocab_size);
    const std::lock_guard lock(model_.runtime->mutex);
    for (std::int64_t begin = 0; begin < tokens_; begin += kLogitRows) {
      const std::int64_t count = std::min(kLogitRows, tokens_ - begin);
      const Matrix out{buffer.data(), count, vocab_size};
      model_.runtime->decoder->lm_head(x_.row_range(begin, begin + count), out);
      for (std::int64_t i = 0; i < count; ++i) {
        logits.add(begin + i, {out.row(i), static_cast<std::size_t>(vocab_size)});
      }
    }
    return logits;
  }

 private:
  const Reference& reference_;
  const Model::Impl& model_;
  std::int64_t tokens_;
  KvCache cache_;
  AlignedBuffer<float> buffer_;
  Matrix x_;  ///< [T, D]
  std::vector<VisionBlock> blocks_;
};

void set_isolated(StageReport& stage, const Difference& difference,
                  const ConformTolerances& tolerances) {
  stage.isolated = difference;
  stage.isolated_within = is_within(stage.stage, difference, tolerances);
  stage.within = stage.within && stage.isolated_within;
}

}  // namespace

void compare_isolated(const Reference& reference, const Model& model, const TokenSequence& sequence,
                      const ConformTolerances& tolerances, std::vector<StageReport>& stages) {
  if (reference.row_step != 1) {
    reference.fail("records every " + std::to_string(reference.row_step) +
                   "th row only, but layers run in isolation need all; record it again");
  }
  Isolation isolation(reference, model, sequence);
  std::int64_t next = 0;  // the layer that follows the last recorded state
  bool any = false;
  for (StageReport& stage : stages) {
    if (stage.stage != ConformStage::kLayer) {
      continue;
    }
    if (isolation.load_state_before(next)) {
      isolation.run(next, stage.index + 1);
      set_isolated(stage, isolation.difference("hidden." + std::to_string(stage.index)),
                   tolerances);
      any = true;
    }
    next = stage.index + 1;
  }
  if (!any) {
    reference.fail(
        "records no hidden states, which layers run in isolation begin from; record it "
        "again with --layers all");
  }
  if (!isolation.load_state_before(model.config().text.num_hidden_layers)) {
    return;
  }
  const LogitsComparer logits = isolation.project();
  for (StageReport& stage : stages) {
    if (stage.stage == ConformStage::kFinalNorm) {
      set_isolated(stage, isolation.difference("final_norm"), tolerances);
    } else if (stage.stage == ConformStage::kLogits) {
      set_isolated(stage, logits.difference(), tolerances);
    }
  }
}

}  // namespace nolens
