// A progress bar on stderr for steps that take long enough to wonder.
#pragma once

#include <chrono>
#include <string>

#include "nolens/log.h"

namespace nolens::cli {

/// Draws nothing unless stderr is a terminal and the step has run for half a second. The destructor
/// wipes the bar away.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// \throws Error{kInterrupted} after Ctrl-C, so that the step stops.
  void update(double fraction);
  /// For the library; valid as long as this object.
  [[nodiscard]] ProgressSink sink();

 private:
  std::string label_;
  std::chrono::steady_clock::time_point start_;
  bool enabled_;
  int shown_percent_ = -1;
};

}  // namespace nolens::cli
