#include "serve/http/outbox.h"

#include <algorithm>
#include <utility>

namespace nolens::serve {

Outbox::Outbox(std::size_t limit, std::function<void()> wake)
    : limit_(limit), wake_(std::move(wake)) {}

bool Outbox::push(std::string bytes, int status, bool is_last) {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    if (is_abandoned_ || is_finished_ || is_complete_) {
      return !is_abandoned_;
    }
    if (status != 0) {
      status_ = status;
    }
    // One piece may be larger than the limit: it is in memory already. The end of an answer always
    // fits.
    if (unsent_ > 0 && unsent_ + bytes.size() > limit_ && !is_last) {
      is_cut_ = true;
      if (wake_) {
        wake_();
      }
      abandon_locked(callbacks);
    } else {
      unsent_ += bytes.size();
      queue_ = queue_.empty() ? std::move(bytes) : std::move(queue_) + bytes;
      is_complete_ = is_last;
      if (wake_) {
        wake_();
      }
      return true;
    }
  }
  for (const auto& callback : callbacks) {
    callback();
  }
  return false;
}

void Outbox::cut() {
  const std::lock_guard lock(mutex_);
  if (!is_complete_ && !is_abandoned_ && !is_finished_) {
    is_cut_ = true;
    if (wake_) {
      wake_();
    }
  }
}

bool Outbox::is_abandoned() const {
  const std::lock_guard lock(mutex_);
  return is_abandoned_;
}

void Outbox::on_abandon(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (is_finished_) {
      return;
    }
    if (!is_abandoned_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

Outbox::Piece Outbox::take() {
  const std::lock_guard lock(mutex_);
  return {std::exchange(queue_, {}), is_complete_, is_cut_};
}

void Outbox::sent(std::size_t count) {
  const std::lock_guard lock(mutex_);
  unsent_ -= std::min(count, unsent_);
}

bool Outbox::is_complete() const {
  const std::lock_guard lock(mutex_);
  return is_complete_;
}

int Outbox::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Outbox::abandon() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    if (!is_finished_ && !is_abandoned_) {
      abandon_locked(callbacks);
    }
    wake_ = nullptr;
  }
  for (const auto& callback : callbacks) {
    callback();
  }
}

void Outbox::finish() {
  std::vector<std::function<void()>> dropped;  // their captures are destroyed without the lock
  const std::lock_guard lock(mutex_);
  is_finished_ = true;
  wake_ = nullptr;
  dropped.swap(callbacks_);
}

void Outbox::abandon_locked(std::vector<std::function<void()>>& callbacks) {
  is_abandoned_ = true;
  queue_.clear();
  callbacks.swap(callbacks_);
}

}  // namespace nolens::serve
