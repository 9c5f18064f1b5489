#include "trainer.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <iostream>

#include "core/escape.h"
#include "curves.h"
#include "evaluate.h"
#include "export.h"
#include "machine.h"
#include "progress.h"
#include "step.h"

namespace nolens::train {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int) { stop_requested = 1; }

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
        parameters_(parameter_specs(config_, {options.scaffold_weight > 0.0, options.contrastive_weight > 0.0}),
                    options.source.seed, device_),
        decoder_(config_, parameters_, options.bf16),
        optimizer_(parameters_, options.optimizer) {
    if (!options.from_scratch) {
      load_weights(options.model, parameters_);
    }
  }

  int run() {
    const Dataset data = load(options_.data);
    const Dataset validation = load(options_.validation);
    validation_ = GroupSource::all_groups(validation, encoder_, config_, options_.source.branches);
    if (options_.evaluate_only) {
      score(0);
      return 0;
    }
    GroupSource source(data, encoder_, config_, options_.source);
    Step step(options_, config_, decoder_, parameters_, source, ranks_, device_);
    if (leads()) {
      std::cout << parameters_.count() << " parameters, " << data.examples.size()
                << " groups of data, " << options_.schedule.steps << " steps\n"
                << std::flush;
      curve_.emplace(options_.out / "loss.csv",
                     std::vector<std::string>{"answer_loss", "scaffold_loss", "contrastive_loss",
                                              "accuracy", "rate", "gradient_norm", "seconds"},
                     0);
    }
    Progress progress(0, options_.schedule.steps, leads());
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < options_.schedule.steps; ++i) {
      const StepResult result = step.run(i, stop_requested != 0);
      const double rate = options_.schedule.rate(i);
      const double norm = optimizer_.gradient_norm();
      if (std::isfinite(norm)) {
        optimizer_.step(rate, norm);
      }
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      if (leads()) {
        curve_->add(i + 1, {result.answer_loss, result.scaffold_loss, result.contrastive_loss,
                            result.accuracy, rate, norm, spent.count()});
        progress.show(i + 1, result.answer_loss);
        if ((i + 1) % options_.log_every == 0) {
          progress.clear();
          std::cout << "step " << i + 1 << " loss " << result.answer_loss << " scaffold "
                    << result.scaffold_loss << " contrastive " << result.contrastive_loss
                    << " accuracy " << result.accuracy << " norm " << norm << " t " << spent.count() << '\n'
                    << std::flush;
        }
      }
      const bool last = i + 1 == options_.schedule.steps || result.stop;
      if (last || (options_.evaluate_every > 0 && (i + 1) % options_.evaluate_every == 0)) {
        score(i + 1);
        if (leads()) {
          export_model(options_.model, options_.out / "model", parameters_, optimizer_.average());
        }
      }
      if (result.stop) {
        break;
      }
    }
    return 0;
  }

 private:
  [[nodiscard]] bool leads() const noexcept { return ranks_.rank() == 0; }

  Dataset load(const std::filesystem::path& file) {
    if (file.empty()) {
      return {};
    }
    Dataset dataset = read_dataset(file, encoder_, options_.max_tokens);
    if (leads()) {
      for (const BadLine& line : dataset.bad_lines) {
        std::cerr << "nolens-train: " << file.filename().string() << ", line " << line.number << ": "
                  << line.reason << '\n';
      }
    }
    return dataset;
  }

  /// Scores the averaged weights.
  void score(std::int64_t step) {
    if (validation_.empty()) {
      return;
    }
    const at::NoGradGuard no_gradients;
    const at::Tensor kept = parameters_.values().clone();
    parameters_.values().copy_(optimizer_.average());
    const Evaluation result =
        evaluate(decoder_, config_, encoder_, validation_, 32, ranks_, device_);
    parameters_.values().copy_(kept);
    if (leads()) {
      std::cout << "step " << step << " validation: " << 100.0 * result.all.share()
                << " % of " << result.all.asked << ", yes/no " << 100.0 * result.yes_no.share()
                << " %, other " << 100.0 * result.other.share() << " %, loss " << result.loss;
      for (const auto& [answer, s] : result.by_answer) {
        std::cout << "  " << answer << ' ' << s.right << '/' << s.asked;
      }
      std::cout << '\n' << std::flush;
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
  std::vector<Group> validation_;
  std::optional<CurveFile> curve_;
};

}  // namespace

int run_training(const TrainOptions& options, const RankGroup& ranks) {
  at::set_num_threads(options.threads);
  std::signal(SIGTERM, request_stop);
  if (ranks.rank() == 0) {
    const std::string warning = slow_blas_warning(matrix_speed());
    if (!warning.empty()) {
      std::cerr << "nolens-train: warning: " << warning << '\n';
    }
  }
  Trainer trainer(options, ranks);
  return trainer.run();
}

}  // namespace nolens::train
