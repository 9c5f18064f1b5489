#include "trainer.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include <ATen/Parallel.h>

#include "checkpoint.h"
#include "core/escape.h"
#include "evaluate.h"
#include "export.h"
#include "machine.h"
#include "platform/atomic_file.h"
#include "report.h"
#include "step.h"

namespace nolens::train {
namespace {

constexpr std::int64_t kListedBadLines = 20;
constexpr int kMaxFailedCheckpoints = 3;
constexpr std::int64_t kEvaluationBatch = 32;

volatile std::sig_atomic_t stop_signal = 0;

void request_stop(int signal) {
  stop_signal = signal;
}

/// Options that fix the order of the data and the shape of the state.
std::map<std::string, Json> fingerprint_of(const TrainOptions& o, const ParameterSet& parameters) {
  return {{"seed", o.source.seed},
          {"batch", o.source.groups_per_step},
          {"branches", o.source.branches},
          {"drawings-share", o.source.drawings_share},
          {"wide-share", o.source.wide_share},
          {"free-share", o.source.free_share},
          {"steps", o.schedule.steps},
          {"average", o.optimizer.average_decay},
          {"parameters", parameters.count()}};
}

/// Everything one rank holds during a run.
class Trainer {
 public:
  Trainer(const TrainOptions& options, const RankGroup& ranks)
      : options_(options),
        ranks_(ranks),
        device_(options.device),
        config_(read_training_config(options.model, options.from_scratch)),
        tokenizer_(Tokenizer::load(options.model / "tokenizer.json")),
        encoder_(tokenizer_, config_),
        parameters_(parameter_specs(
                        config_, {options.scaffold_weight > 0.0, options.contrastive_weight > 0.0}),
                    options.source.seed, device_),
        decoder_(config_, parameters_, options.bf16),
        optimizer_(parameters_, options.optimizer),
        checkpoints_(options.out / "checkpoints", fingerprint_of(options, parameters_)) {
    if (!options.from_scratch) {
      load_weights(options.model, parameters_);
      optimizer_.restart_average();
    }
  }

  int run() {
    resume();
    if (leads()) {
      report_ = std::make_unique<Report>(options_.out, state_.step, options_.schedule.steps,
                                         options_.log_every, !options_.evaluate_only);
      if (const std::string slow = slow_blas_warning(matrix_speed()); !slow.empty()) {
        report_->warning("warning: " + slow);
      }
    }
    const Dataset data = load(options_.data);
    const Dataset validation = load(options_.validation);
    validation_ = GroupSource::all_groups(validation, encoder_, config_, options_.source.branches);
    if (options_.evaluate_only) {
      score();
      return 0;
    }
    GroupSource source(data, encoder_, config_, options_.source);
    Step step(options_, config_, decoder_, parameters_, source, ranks_, device_);
    if (leads()) {
      report_->note(std::to_string(parameters_.count()) + " parameters, " +
                    std::to_string(data.examples.size()) + " pictures or texts, steps " +
                    std::to_string(state_.step) + " to " + std::to_string(options_.schedule.steps));
    }
    return train(step);
  }

 private:
  [[nodiscard]] bool leads() const noexcept { return ranks_.rank() == 0; }

  /// Ranks read the checkpoint themselves; only the first one speaks about it.
  void resume() {
    if (!options_.resume) {
      if (!options_.evaluate_only && checkpoints_.has_any()) {
        throw Error(ErrorCode::kUsage, "'" + escape_for_message(options_.out.string()) +
                                           "' holds checkpoints of a run; --resume continues it, "
                                           "or choose another --out");
      }
      return;
    }
    std::vector<std::string> warnings;
    const auto state = checkpoints_.load(parameters_, optimizer_, [&](const std::string& sentence) {
      warnings.push_back(sentence);
    });
    state_ = state.value_or(RunState{});
    for (const std::string& sentence : warnings) {
      if (leads()) {
        std::cerr << "nolens-train: " << sentence << '\n';
      }
    }
  }

  Dataset load(const std::filesystem::path& file) {
    if (file.empty()) {
      return {};
    }
    Dataset dataset = read_dataset(file, encoder_, options_.max_tokens);
    const auto bad = static_cast<std::int64_t>(dataset.bad_lines.size());
    const std::string name = escape_for_message(file.string());
    if (leads()) {
      for (std::int64_t i = 0; i < std::min(bad, kListedBadLines); ++i) {
        const BadLine& line = dataset.bad_lines[static_cast<std::size_t>(i)];
        report_->warning(name + ", line " + std::to_string(line.number) + ": " + line.reason);
      }
      if (bad > kListedBadLines) {
        report_->warning(name + ": " + std::to_string(bad - kListedBadLines) +
                         " more lines cannot be used");
      }
    }
    if (dataset.lines == 0) {
      throw Error(ErrorCode::kUsage, "'" + name + "' has no samples");
    }
    const double share = static_cast<double>(bad) / static_cast<double>(dataset.lines);
    if (bad > 0 && share > options_.max_bad_share) {
      throw Error(ErrorCode::kInput, std::to_string(bad) + " of " + std::to_string(dataset.lines) +
                                         " lines of '" + name +
                                         "' cannot be used, more than --max-bad-share allows");
    }
    return dataset;
  }

  int train(Step& step) {
    std::int64_t bad_in_a_row = 0;
    bool stopped = false;
    while (state_.step < options_.schedule.steps && !stopped) {
      const StepResult result = step.run(state_.step, stop_signal != 0);
      stopped = result.stop;
      const double rate = options_.schedule.rate(state_.step);
      const double norm = optimizer_.gradient_norm();
      ++state_.step;
      if (std::isfinite(norm)) {
        bad_in_a_row = 0;
        optimizer_.step(rate, norm);
      } else {
        ++state_.skipped_steps;
        ++bad_in_a_row;
        if (leads()) {
          report_->warning("step " + std::to_string(state_.step) +
                           " skipped: its loss or gradient is not a finite number");
        }
        if (bad_in_a_row >= options_.max_bad_steps) {
          throw Error(ErrorCode::kInput,
                      std::to_string(bad_in_a_row) +
                          " steps in a row had no finite loss; lower --rate or look at the data "
                          "(the last checkpoint is kept)");
        }
      }
      if (leads()) {
        report_->step(state_.step, result, rate, norm);
      }
      after_step(stopped || state_.step == options_.schedule.steps, stopped);
    }
    return stopped && stop_signal == SIGINT ? exit_code(ErrorCode::kInterrupted) : 0;
  }

  void after_step(bool last, bool stopped) {
    const auto due = [&](std::int64_t every) {
      return last || (every > 0 && state_.step % every == 0);
    };
    if (due(options_.evaluate_every) && !stopped) {
      score();
      if (leads()) {
        export_model(options_.model, options_.out / "model", parameters_, optimizer_.average());
        report_->draw();
      }
    }
    if (due(options_.checkpoint_every) && leads()) {
      save_checkpoint(last);
      if (stopped) {
        report_->note("stopped after step " + std::to_string(state_.step) + "; --resume continues");
      }
    }
  }

  /// A full disk need not end a run of hours: the last good checkpoint stays, and the next one is tried. The
  /// checkpoint at the end has to succeed.
  void save_checkpoint(bool last) {
    try {
      checkpoints_.save(state_, parameters_, optimizer_);
      failed_checkpoints_ = 0;
    } catch (const Error& error) {
      ++failed_checkpoints_;
      if (error.code() != ErrorCode::kResource || last ||
          failed_checkpoints_ == kMaxFailedCheckpoints) {
        throw;
      }
      report_->warning("no checkpoint after step " + std::to_string(state_.step) + ": " +
                       error.what() + "; the run goes on, the last good checkpoint is kept");
    }
  }

  /// Scores the averaged weights on the validation data.
  void score() {
    if (validation_.empty()) {
      return;
    }
    const at::NoGradGuard no_gradients;
    at::Tensor values = parameters_.values();
    const at::Tensor kept = values.clone();
    values.copy_(optimizer_.average());
    const Evaluation result =
        evaluate(decoder_, config_, encoder_, validation_, kEvaluationBatch, ranks_, device_);
    Score retrieval;
    if (leads()) {
      retrieval = retrieve(decoder_, config_, parameters_, validation_, kEvaluationBatch, device_);
    }
    values.copy_(kept);
    if (leads()) {
      if (options_.evaluate_only) {
        report_->note(evaluation_line(result, retrieval));
      } else {
        report_->evaluation(state_.step, result, retrieval);
      }
      if (!options_.evaluate_file.empty()) {
        write_file_atomically(options_.evaluate_file, evaluation_json(result, retrieval));
      }
    }
  }

  const TrainOptions& options_;
  const RankGroup& ranks_;
  at::Device device_;
  ModelConfig config_;
  Tokenizer tokenizer_;
  PromptEncoder encoder_;
  ParameterSet parameters_;
  Decoder decoder_;
  AdamW optimizer_;
  CheckpointFolder checkpoints_;
  RunState state_;
  int failed_checkpoints_ = 0;  // in a row
  std::vector<Group> validation_;
  std::unique_ptr<Report> report_;
};

}  // namespace

int run_training(const TrainOptions& options, const RankGroup& ranks) {
  at::set_num_threads(options.threads);
  struct sigaction action = {};
  action.sa_handler = request_stop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  Trainer trainer(options, ranks);
  return trainer.run();
}

}  // namespace nolens::train
