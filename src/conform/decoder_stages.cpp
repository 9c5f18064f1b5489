#include "conform/decoder_stages.h"

#include <optional>

#include "conform/logits_comparer.h"
#include "conform/row_comparer.h"
#include "conform/verdict.h"
#include "core/checked_math.h"
#include "engine/context.h"

namespace nolens {
namespace {

class DecoderComparer {
 public:
  DecoderComparer(const Reference& reference, const ModelConfig& config)
      : reference_(reference),
        tokens_(static_cast<std::int64_t>(reference.token_ids.size())),
        hidden_size_(config.text.hidden_size),
        embeddings_(rows_of(reference.input_embeddings(ceil_div(tokens_, reference.row_step),
                                                       config.text.hidden_size))),
        final_norm_(rows_of("final_norm")),
        logits_(reference, tokens_, config.text.vocab_size) {
    for (std::int64_t layer = 0; layer < config.text.num_hidden_layers; ++layer) {
      layers_.push_back(rows_of("hidden." + std::to_string(layer)));
    }
  }

  void run(Context& context, const ProgressSink& progress) {
    AppendOptions options;
    options.progress = progress;
    if (!logits_.last_only() || final_norm_.has_value()) {
      options.on_logits = [this](std::int64_t position, std::span<const float> row) {
        logits_.add(position, row);
      };
    }
    context.compute(
        options,
        {.on_embeddings = [this](std::int64_t begin, ConstMatrix x) { add(embeddings_, begin, x); },
         .on_layer = [this](std::size_t layer, std::int64_t begin,
                            ConstMatrix x) { add(layers_[layer], begin, x); },
         .on_final_norm = [this](std::int64_t begin,
                                 ConstMatrix x) { add(final_norm_, begin, x); }});
    if (!options.on_logits) {
      logits_.add(tokens_ - 1, context.logits());
    }
  }

  void report(const ConformTolerances& tolerances, std::vector<StageReport>& stages) const {
    const auto push = [&](StageReport stage, const std::optional<RowComparer>& rows) {
      if (rows.has_value()) {
        stage.difference = rows->result();
        stage.within = is_within(stage.stage, *stage.difference, tolerances);
        stages.push_back(std::move(stage));
      }
    };
    push({.stage = ConformStage::kInputEmbeddings, .name = "input embeddings"}, embeddings_);
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      push({.stage = ConformStage::kLayer,
            .index = static_cast<std::int64_t>(layer),
            .name = "layer " + std::to_string(layer)},
           layers_[layer]);
    }
    push({.stage = ConformStage::kFinalNorm, .name = "final norm"}, final_norm_);
    StageReport logits{.stage = ConformStage::kLogits,
                       .name = logits_.last_only() ? "logits, last row" : "logits"};
    logits.difference = logits_.difference();
    logits.logits = logits_.agreement();
    logits.within = is_within(logits.stage, *logits.difference, tolerances) &&
                    is_within(*logits.logits, tolerances);
    stages.push_back(std::move(logits));
  }

 private:
  [[nodiscard]] std::optional<RowComparer> rows_of(std::optional<ReferenceTensor> tensor) const {
    return tensor.has_value() ? std::optional<RowComparer>(std::in_place, std::move(*tensor), 0,
                                                           reference_.row_step)
                              : std::nullopt;
  }
  [[nodiscard]] std::optional<RowComparer> rows_of(const std::string& name) const {
    return rows_of(
        reference_.rule_tensor(name, ceil_div(tokens_, reference_.row_step), hidden_size_));
  }

  static void add(std::optional<RowComparer>& rows, std::int64_t begin, ConstMatrix x) {
    if (rows.has_value()) {
      rows->add(begin, x);
    }
  }

  const Reference& reference_;
  std::int64_t tokens_;
  std::int64_t hidden_size_;
  std::optional<RowComparer> embeddings_;
  std::vector<std::optional<RowComparer>> layers_;
  std::optional<RowComparer> final_norm_;
  LogitsComparer logits_;
};

/// The engine's choice after the prompt and after each of the reference's tokens.
std::vector<TopTwo> choices(const Reference& reference, Context& context) {
  std::vector<bool> suppressed(context.logits().size());
  for (const TokenId id : reference.suppressed_ids) {
    suppressed[static_cast<std::size_t>(id)] = true;
  }
  const std::vector<TokenId>& answer = reference.rule.greedy_ids;
  std::vector<TopTwo> result{top_two(context.logits(), suppressed)};
  for (std::size_t i = 0; i + 1 < answer.size(); ++i) {
    context.extend_by(answer[i]);
  }
  if (answer.size() > 1) {
    AppendOptions options;
    options.on_logits = [&](std::int64_t, std::span<const float> row) {
      result.push_back(top_two(row, suppressed));
    };
    context.compute(options);
  }
  return result;
}

StageReport compare_greedy(const Reference& reference, Context& context,
                           const ConformTolerances& tolerances) {
  const ReferenceRule& recorded = reference.rule;
  const std::vector<TopTwo> ours = choices(reference, context);
  GreedyAgreement greedy{.count = static_cast<std::int64_t>(recorded.greedy_ids.size())};
  for (std::size_t i = 0; i < recorded.greedy_ids.size(); ++i) {
    if (ours[i].best == recorded.greedy_ids[i]) {
      ++greedy.same;
      continue;
    }
    std::optional<double> margin;
    if (!recorded.greedy_margins.empty()) {
      margin = recorded.greedy_margins[i];
    }
    GreedyAgreement here = greedy;
    here.first_difference = static_cast<std::int64_t>(i);
    here.reference_id = recorded.greedy_ids[i];
    here.engine_id = ours[i].best;
    here.reference_margin = margin;
    here.engine_margin = ours[i].margin;
    // The first that counts; failing that, the first.
    const bool counts = !is_within(here, tolerances);
    if (greedy.first_difference < 0 || (counts && is_within(greedy, tolerances))) {
      greedy = here;
    }
  }
  StageReport report{.stage = ConformStage::kGreedy, .name = "greedy tokens"};
  report.within = is_within(greedy, tolerances);
  report.greedy = greedy;
  return report;
}

}  // namespace

void compare_decoder(const Reference& reference, const std::shared_ptr<const Model>& model,
                     TokenSequence sequence, const ConformTolerances& tolerances,
                     const ProgressSink& progress, std::vector<StageReport>& stages) {
  SessionOptions options;
  options.context_length =
      static_cast<std::int64_t>(reference.token_ids.size() + reference.rule.greedy_ids.size());
  options.mask_rule = reference.mask_rule;
  Context context(model, options);
  context.extend(std::move(sequence));
  DecoderComparer comparer(reference, model->config());
  comparer.run(context, progress);
  comparer.report(tolerances, stages);
  if (!reference.rule.greedy_ids.empty()) {
    stages.push_back(compare_greedy(reference, context, tolerances));
  }
}

}  // namespace nolens
