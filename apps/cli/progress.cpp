#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

#include "interrupt.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{500};
constexpr int kBarWidth = 30;

void draw(const std::string& line) {
  // The carriage return is what print_error() would not let through.
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

Progress::Progress(std::string label)
    : label_(std::move(label)),
      start_(std::chrono::steady_clock::now()),
      enabled_(stderr_is_terminal()) {}

Progress::~Progress() {
  if (shown_percent_ >= 0) {
    const int width =
        std::min(terminal_width() - 1, static_cast<int>(label_.size()) + kBarWidth + 9);
    draw("\r" + std::string(static_cast<std::size_t>(std::max(width, 0)), ' ') + "\r");
  }
}

void Progress::update(double fraction) {
  check_signal();
  if (!enabled_ || std::chrono::steady_clock::now() - start_ < kPatience) {
    return;
  }
  const int percent = static_cast<int>(100.0 * std::clamp(fraction, 0.0, 1.0));
  if (percent == shown_percent_) {
    return;
  }
  shown_percent_ = percent;
  const auto filled = static_cast<std::size_t>(kBarWidth * percent / 100);
  draw("\r" + label_ + " [" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') +
       "] " + std::to_string(percent) + " %");
}

ProgressSink Progress::sink() {
  return [this](double fraction) { update(fraction); };
}

}  // namespace nolens::cli
