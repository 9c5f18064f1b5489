#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <unistd.h>

namespace nolens::train {
namespace {

constexpr std::int64_t kCells = 30;

}  // namespace

Progress::Progress(std::int64_t first, std::int64_t total, bool wanted)
    : first_(first),
      total_(std::max<std::int64_t>(total, 1)),
      visible_(wanted && isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

void Progress::show(std::int64_t done, double loss) {
  if (!visible_) {
    return;
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  const std::int64_t steps = std::max<std::int64_t>(done - first_, 1);
  const auto left = static_cast<std::int64_t>(spent.count() / static_cast<double>(steps) *
                                              static_cast<double>(total_ - done));
  const std::int64_t filled = kCells * done / total_;
  std::cerr << "\r[" << std::string(static_cast<std::size_t>(filled), '#')
            << std::string(static_cast<std::size_t>(kCells - filled), '.') << "] " << done << '/'
            << total_ << "  loss " << loss << "  " << left / 60 << " min " << left % 60
            << " s left   " << std::flush;
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) {
    std::cerr << "\r\x1b[K" << std::flush;
    drawn_ = false;
  }
}

}  // namespace nolens::train
