// The line that shows how a download goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "nolens/hub.h"

namespace nolens::cli {

/// "12.3 GB"
std::string shown_decimal(std::int64_t bytes);
/// "8 s", "3:05", "1:02:03"
std::string shown_seconds(double seconds);

/// Draws on stderr if that is a terminal; the destructor wipes the line away.
class DownloadProgress {
 public:
  DownloadProgress();
  ~DownloadProgress();
  DownloadProgress(const DownloadProgress&) = delete;
  DownloadProgress& operator=(const DownloadProgress&) = delete;

  /// \throws Error{kInterrupted} after Ctrl-C
  void update(const PullProgress& state);

 private:
  [[nodiscard]] std::string line(const PullProgress& state);
  void measure(const PullProgress& state);

  bool enabled_;
  int drawn_ = 0;  ///< width of the line on the screen
  std::chrono::steady_clock::time_point measured_;
  std::int64_t measured_bytes_ = 0;
  double bytes_per_second_ = 0.0;
};

}  // namespace nolens::cli
