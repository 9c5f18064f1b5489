// A progress line on a terminal; nothing elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace nolens::train {

class Progress {
 public:
  /// Shows steps first…total on standard error if that is a terminal and `wanted`.
  Progress(std::int64_t first, std::int64_t total, bool wanted);
  void show(std::int64_t done, double loss);
  /// Clears the line, so that other output can be printed.
  void clear();

 private:
  std::int64_t first_;
  std::int64_t total_;
  bool visible_ = false;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace nolens::train
