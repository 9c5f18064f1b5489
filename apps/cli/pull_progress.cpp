#include "pull_progress.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "interrupt.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr double kMeasureSeconds = 0.5;
constexpr double kSmoothing = 0.2;  // of the newest measurement: the last few seconds count
constexpr std::size_t kNameWidth = 36;

std::string phase_text(PullPhase phase) {
  switch (phase) {
    case PullPhase::kChecking: return "checking what is there";
    case PullPhase::kLocked: return "waiting for another download of it";
    case PullPhase::kRetrying: return "connection lost, trying again";
    case PullPhase::kListing:
    case PullPhase::kDownloading: break;
  }
  return {};
}

std::string short_name(const std::string& name) {
  return name.size() <= kNameWidth ? name : "..." + name.substr(name.size() - kNameWidth + 3);
}

}  // namespace

std::string shown_decimal(std::int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  return with_decimals(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

std::string shown_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  if (whole < 60) {
    return std::to_string(whole) + " s";
  }
  const auto two = [](std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  const std::string tail = two(whole % 60);
  return whole < 3600 ? std::to_string(whole / 60) + ":" + tail
                      : std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + tail;
}

DownloadProgress::DownloadProgress()
    : enabled_(stderr_is_terminal()), measured_(std::chrono::steady_clock::now()) {}

DownloadProgress::~DownloadProgress() {
  if (drawn_ > 0) {
    const std::string blank(static_cast<std::size_t>(drawn_), ' ');
    std::fputs(("\r" + blank + "\r").c_str(), stderr);
    std::fflush(stderr);
  }
}

void DownloadProgress::measure(const PullProgress& state) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - measured_).count();
  if (seconds < kMeasureSeconds) {
    return;
  }
  const double rate = static_cast<double>(state.received_bytes - measured_bytes_) / seconds;
  bytes_per_second_ =
      bytes_per_second_ > 0.0 ? kSmoothing * rate + (1.0 - kSmoothing) * bytes_per_second_ : rate;
  measured_ = now;
  measured_bytes_ = state.received_bytes;
}

std::string DownloadProgress::line(const PullProgress& state) {
  if (state.file.empty()) {
    return "asking the hub";
  }
  std::string text = std::to_string(state.file_number) + "/" + std::to_string(state.file_count) +
                     " " + short_name(state.file) + "  ";
  const std::string phase = phase_text(state.phase);
  if (!phase.empty()) {
    return text + phase;
  }
  text += shown_decimal(state.done_bytes) + " of " + shown_decimal(state.total_bytes);
  if (bytes_per_second_ >= 1.0) {
    const auto left = static_cast<double>(state.total_bytes - state.done_bytes);
    text += "  " + shown_decimal(static_cast<std::int64_t>(bytes_per_second_)) + "/s  " +
            shown_seconds(left / bytes_per_second_) + " left";
  }
  return text;
}

void DownloadProgress::update(const PullProgress& state) {
  check_signal();
  if (!enabled_) {
    return;
  }
  measure(state);
  std::string text = harmless(line(state));
  const auto width = static_cast<std::size_t>(std::max(terminal_width() - 1, 10));
  text.resize(std::min(text.size(), width));
  const auto used = static_cast<int>(text.size());
  text.resize(std::max(text.size(), static_cast<std::size_t>(drawn_)), ' ');
  drawn_ = used;
  std::fputs(("\r" + text).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace nolens::cli
