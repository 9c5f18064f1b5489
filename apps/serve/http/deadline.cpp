#include "serve/http/deadline.h"

#include <utility>

namespace nolens::serve {
namespace {

/// A timer noticed so late belongs to a process that did not run.
constexpr std::chrono::seconds kSlept{2};

}  // namespace

Deadline::Deadline(std::unique_ptr<Timer> timer, std::weak_ptr<void> owner,
                   std::function<void()> expired)
    : timer_(std::move(timer)), owner_(std::move(owner)), expired_(std::move(expired)) {}

void Deadline::set(Clock::time_point when) {
  when_ = when;
  if (!armed_ || *armed_ > when) {
    arm();
  }
}

void Deadline::cancel() {
  when_.reset();
  armed_.reset();
  timer_->cancel();
}

void Deadline::arm() {
  armed_ = when_;
  timer_->set(*when_, [this, owner = owner_] {
    if (const auto alive = owner.lock()) {
      fired();
    }
  });
}

void Deadline::fired() {
  const auto set_to = std::exchange(armed_, std::nullopt);
  if (!when_ || !set_to) {
    return;
  }
  const auto now = Clock::now();
  if (now - *set_to > kSlept) {
    *when_ += now - *set_to;
  }
  if (*when_ > now) {
    return arm();
  }
  when_.reset();
  expired_();
}

}  // namespace nolens::serve
