// A point in time that may move, and what happens then.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "serve/http/io_loop.h"

namespace nolens::serve {

/// Moving a deadline later costs nothing: the timer fires at the earlier time and is set again. If
/// the process itself was stopped meanwhile, nobody is blamed for the time it slept.
class Deadline {
 public:
  using Clock = Timer::Clock;

  /// \param owner    holds this deadline; `expired` is called only while it lives
  Deadline(std::unique_ptr<Timer> timer, std::weak_ptr<void> owner, std::function<void()> expired);

  void set(Clock::time_point when);
  /// No deadline for now.
  void clear() { when_.reset(); }
  /// The same, and nothing stays pending in the loop.
  void cancel();

 private:
  void arm();
  void fired();

  std::unique_ptr<Timer> timer_;
  std::weak_ptr<void> owner_;
  std::function<void()> expired_;
  std::optional<Clock::time_point> when_;   // nothing: no deadline
  std::optional<Clock::time_point> armed_;  // what the timer is set to
};

}  // namespace nolens::serve
