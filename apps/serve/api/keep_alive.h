// Comments in streams that have nothing to say yet, so that nobody in between takes them for dead.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace nolens::serve {

/// Something that is asked now and then whether it needs a sign of life.
class Pinged {
 public:
  virtual ~Pinged() = default;
  /// On the thread of KeepAlive, about once a second.
  virtual void ping() = 0;
};

/// A thread that asks everyone who registered and still exists.
class KeepAlive {
 public:
  explicit KeepAlive(std::chrono::milliseconds period = std::chrono::seconds(1));
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

  void add(std::weak_ptr<Pinged> stream);

 private:
  void run(std::chrono::milliseconds period);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<std::weak_ptr<Pinged>> streams_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace nolens::serve
