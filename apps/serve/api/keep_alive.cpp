#include "serve/api/keep_alive.h"

#include <utility>
#include <vector>

namespace nolens::serve {

KeepAlive::KeepAlive(std::chrono::milliseconds period) : thread_([this, period] { run(period); }) {}

KeepAlive::~KeepAlive() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void KeepAlive::add(std::weak_ptr<Pinged> stream) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::move(stream));
}

void KeepAlive::run(std::chrono::milliseconds period) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period, [this] { return stop_; })) {
    std::vector<std::shared_ptr<Pinged>> alive;
    std::erase_if(streams_, [&](const std::weak_ptr<Pinged>& stream) {
      std::shared_ptr<Pinged> locked = stream.lock();
      const bool gone = locked == nullptr;
      if (!gone) {
        alive.push_back(std::move(locked));
      }
      return gone;
    });
    // Outside the lock: a ping may be the last owner of a stream, whose end may add others.
    lock.unlock();
    for (const std::shared_ptr<Pinged>& stream : alive) {
      stream->ping();
    }
    alive.clear();
    lock.lock();
  }
}

}  // namespace nolens::serve
