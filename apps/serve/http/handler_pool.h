// The threads that handlers run on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nolens::serve {

class HandlerPool {
 public:
  /// \param queue_limit  tasks that may wait for a thread
  explicit HandlerPool(std::size_t queue_limit) : queue_limit_(queue_limit) {}
  ~HandlerPool() { stop(); }
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  /// \throws Error{kResource} if the system gives no thread
  void start(int threads);
  /// Drops what waits, then waits for what runs.
  void stop();
  /// \param task  may not throw
  /// \return false if too many wait or stop() was called; the task is dropped then
  bool submit(std::function<void()> task);

 private:
  void work();

  std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool is_stopped_ = false;
  std::vector<std::thread> threads_;
};

/// A thread that leaves every signal to the others. \throws Error{kResource} if there is none to
/// have
[[nodiscard]] std::thread start_thread(std::function<void()> body);

}  // namespace nolens::serve
