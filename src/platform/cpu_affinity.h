// Which processors a thread may run on (Linux).
#pragma once

#include <pthread.h>
#include <vector>

namespace nolens {

/// Processors that the calling thread may run on, ascending; empty if the system does not say.
std::vector<int> usable_cpus();

/// The first of them of each physical core, ascending.
std::vector<int> one_cpu_per_core();

/// Lets a thread run on one processor only. Returns 0, or the errno value of the refusal.
int pin_thread(pthread_t thread, int cpu);

/// Keeps the calling thread on one processor until the end of the scope; then it may run where it
/// could before. Where the system refuses, it runs where it could: only speed depends on that.
class ThreadPin {
 public:
  /// A negative `cpu` pins nothing.
  explicit ThreadPin(int cpu);
  ~ThreadPin();
  ThreadPin(const ThreadPin&) = delete;
  ThreadPin& operator=(const ThreadPin&) = delete;

  /// 0, or the errno value of the refusal.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  std::vector<unsigned long> before_;  ///< a bit for each processor; empty: nothing to undo
  int error_ = 0;
};

}  // namespace nolens
