#include "report.h"

#include <iomanip>
#include <iostream>
#include <sstream>

#include "curves_svg.h"
#include "formats/json.h"

namespace nolens::train {
namespace {

Json score_json(const Score& score) {
  return {{"accuracy", score.share()}, {"right", score.right}, {"asked", score.asked}};
}

}  // namespace

Report::Report(const std::filesystem::path& out, std::int64_t first_step, std::int64_t steps,
               std::int64_t log_every, bool curves)
    : out_(out),
      log_every_(log_every),
      progress_(first_step, steps, curves),
      start_(std::chrono::steady_clock::now()) {
  if (curves) {
    losses_.emplace(out / "loss.csv",
                    std::vector<std::string>{"answer_loss", "scaffold_loss", "contrastive_loss",
                                             "accuracy", "rate", "gradient_norm", "seconds"},
                    first_step);
    scores_.emplace(out / "validation.csv",
                    std::vector<std::string>{"accuracy", "yes_no", "other", "loss", "retrieval"},
                    first_step);
  }
}

void Report::note(const std::string& sentence) {
  progress_.clear();
  std::cout << sentence << '\n' << std::flush;
}

void Report::warning(const std::string& sentence) {
  progress_.clear();
  std::cerr << "nolens-train: " << sentence << '\n';
}

void Report::step(std::int64_t done, const StepResult& result, double rate, double norm) {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  losses_->add(done, {result.answer_loss, result.scaffold_loss, result.contrastive_loss,
                      result.accuracy, rate, norm, spent.count()});
  if (done % log_every_ == 0) {
    std::ostringstream line;
    line << "step " << done << ": loss " << result.answer_loss << ", accuracy " << result.accuracy;
    if (result.scaffold_loss != 0.0) {
      line << ", scaffold " << result.scaffold_loss;
    }
    if (result.contrastive_loss != 0.0) {
      line << ", contrastive " << result.contrastive_loss;
    }
    line << ", gradient " << norm << ", " << static_cast<std::int64_t>(spent.count()) << " s";
    note(line.str());
  }
  progress_.show(done, result.answer_loss);
}

void Report::evaluation(std::int64_t done, const Evaluation& result, const Score& retrieval) {
  scores_->add(done, {result.all.share(), result.yes_no.share(), result.other.share(), result.loss,
                      retrieval.share()});
  note("step " + std::to_string(done) + ", validation: " + evaluation_line(result, retrieval));
}

void Report::draw() {
  write_curves_svg(out_ / "loss.csv",
                   {"answer_loss", "scaffold_loss", "contrastive_loss", "accuracy", "rate"},
                   "Training, by step", out_ / "loss.svg");
  write_curves_svg(out_ / "validation.csv", {"accuracy", "yes_no", "other", "loss", "retrieval"},
                   "Validation, by step", out_ / "validation.svg");
}

std::string evaluation_json(const Evaluation& result, const Score& retrieval) {
  Json json = {{"all", score_json(result.all)},
               {"yes_no", score_json(result.yes_no)},
               {"other", score_json(result.other)},
               {"loss", result.loss}};
  if (retrieval.asked > 0) {
    json["retrieval"] = score_json(retrieval);
  }
  for (const auto& [answer, score] : result.by_answer) {
    json["by_answer"][answer] = score_json(score);
  }
  return json.dump(2) + "\n";
}

std::string evaluation_line(const Evaluation& result, const Score& retrieval) {
  const auto percent = [](const Score& score) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << 100.0 * score.share() << " % of " << score.asked;
    return text.str();
  };
  std::string line = percent(result.all) + " (yes/no " + percent(result.yes_no) + ", other " +
                     percent(result.other) + ")";
  if (retrieval.asked > 0) {
    line += ", caption retrieval " + percent(retrieval);
  }
  return line;
}

}  // namespace nolens::train
