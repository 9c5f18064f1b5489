// What a run says about itself: lines on the terminal, CSV curves, their picture, a JSON summary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "curves.h"
#include "evaluate.h"
#include "progress.h"
#include "step.h"

namespace nolens::train {

/// Used by rank 0 only.
class Report {
 public:
  /// With `curves`, opens OUT/loss.csv and OUT/validation.csv; rows after `first_step` are dropped.
  Report(const std::filesystem::path& out, std::int64_t first_step, std::int64_t steps,
         std::int64_t log_every, bool curves);

  void note(const std::string& sentence);     ///< a line on standard output
  void warning(const std::string& sentence);  ///< a line on standard error
  /// Both need curves.
  void step(std::int64_t done, const StepResult& result, double rate, double norm);
  void evaluation(std::int64_t done, const Evaluation& result, const Score& retrieval);
  /// OUT/loss.svg and OUT/validation.svg from the CSV files.
  void draw();

 private:
  std::filesystem::path out_;
  std::int64_t log_every_;
  std::optional<CurveFile> losses_;
  std::optional<CurveFile> scores_;
  Progress progress_;
  std::chrono::steady_clock::time_point start_;
};

/// The evaluation as JSON text: accuracies, and right and asked per answer.
std::string evaluation_json(const Evaluation& result, const Score& retrieval);

/// One line for people.
std::string evaluation_line(const Evaluation& result, const Score& retrieval);

}  // namespace nolens::train
