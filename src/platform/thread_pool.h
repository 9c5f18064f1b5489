// A fixed set of threads that run one loop together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "platform/cpu_affinity.h"

namespace nolens {

/// Splits loops into contiguous ranges, one per thread; the caller works too. Waiting threads spin
/// for a moment, then sleep. Loops from several callers run one after the other.
class ThreadPool {
 public:
  /// `num_threads` counts the caller; 0 = one per physical core this process may use. If threads
  /// cannot be started the pool has fewer.
  /// With `cpus` each thread is kept on a processor of its own: the pool's threads always, on the
  /// second and those that follow, a caller on the first while it holds pin_caller(). Without, the
  /// system chooses.
  /// \throws Error{kUsage} if there are fewer processors than threads, Error{kResource} if the
  /// system refuses
  explicit ThreadPool(int num_threads, std::span<const int> cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int num_threads() const noexcept;

  /// Keeps the calling thread on its processor, if the pool's threads have their own. For one
  /// caller at a time, and for several loops: it costs more than a short one.
  [[nodiscard]] ThreadPin pin_caller() const { return ThreadPin(caller_cpu_); }

  /// Runs body(begin, end) over disjoint ranges that cover [0, count). Range borders are multiples of
  /// `grain`. No range is empty. The first exception is rethrown on the caller once all threads are
  /// done. Not to be called from inside a body.
  void parallel_for(std::int64_t count, std::int64_t grain,
                    const std::function<void(std::int64_t begin, std::int64_t end)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int caller_cpu_ = -1;
};

/// Physical cores this process may run on, at least 1.
int physical_cores();

}  // namespace nolens
