// The pool behind thread_pool.h: ranges of one loop are claimed through a single atomic word, so a
// worker that the operating system does not run cannot hold up a loop whose ranges are all taken.
#include "platform/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

// Longer than the gap between two loops of a forward pass (a few microseconds), shorter than a
// scheduler's time slice, so that a pool beside other work gives its cores back.
constexpr auto kSpinTime = std::chrono::microseconds(50);
constexpr int kPausesPerClockRead = 16;
constexpr int kMaxThreads = 1024;

void pause_briefly() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

/// Spins until ready() or kSpinTime is over; says whether it is ready.
template <typename Ready>
bool spin_until(const Ready& ready) {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (ready()) {
        return true;
      }
      pause_briefly();
    }
    if (std::chrono::steady_clock::now() - start > kSpinTime) {
      return false;
    }
  }
}

// A ticket says which loop runs, how many ranges it has and how many are claimed. Because all three
// are one word, a worker that wakes late cannot claim a range of a loop it does not know.
struct Ticket {
  std::uint32_t loop;
  std::uint16_t ranges;
  std::uint16_t claimed;
};

constexpr std::uint64_t pack(Ticket ticket) noexcept {
  return (std::uint64_t{ticket.loop} << 32) | (std::uint64_t{ticket.ranges} << 16) | ticket.claimed;
}

constexpr Ticket unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
          static_cast<std::uint16_t>(word)};
}

thread_local bool inside_a_body = false;

void check_pinned(int error, int cpu) {
  if (error != 0) {
    throw Error(ErrorCode::kResource, "the system does not let a thread be kept on processor " +
                                          std::to_string(cpu) + ": " + errno_text(error) +
                                          "; run without --affinity");
  }
}

}  // namespace

struct ThreadPool::Impl {
  using Body = std::function<void(std::int64_t, std::int64_t)>;

  // The loop in progress. Written before its ticket is published, read only after a claim of it.
  const Body* body = nullptr;
  std::int64_t count = 0;
  std::int64_t grain = 1;
  std::exception_ptr failure;  // guarded by failure_mutex
  std::mutex failure_mutex;

  std::atomic<std::uint64_t> ticket{0};
  std::atomic<std::int64_t> unfinished{0};

  std::mutex caller_mutex;  // one loop at a time
  std::mutex sleep_mutex;   // for both conditions below
  std::condition_variable work_condition;
  std::condition_variable done_condition;
  std::atomic<bool> stopping{false};

  std::vector<std::thread> workers;

  // Range i of n: borders are multiples of grain, sizes differ by at most one grain.
  [[nodiscard]] std::int64_t border(std::int64_t i, std::int64_t n) const noexcept {
    const std::int64_t grains = ceil_div(count, grain);
    const std::int64_t whole = grains / n;
    const std::int64_t rest = grains % n;
    return std::min(count, (whole * i + std::min(i, rest)) * grain);
  }

  // Claims and runs ranges of the loop on offer until none is left.
  void run_ranges() {
    std::uint64_t word = ticket.load(std::memory_order_acquire);
    while (true) {
      Ticket seen = unpack(word);
      if (seen.claimed >= seen.ranges) {
        return;
      }
      const Ticket next{seen.loop, seen.ranges, static_cast<std::uint16_t>(seen.claimed + 1)};
      if (!ticket.compare_exchange_weak(word, pack(next), std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
        continue;
      }
      run_range(seen.claimed, seen.ranges);
      if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(sleep_mutex);
        done_condition.notify_one();
      }
      word = ticket.load(std::memory_order_acquire);
    }
  }

  void run_range(std::int64_t index, std::int64_t ranges) {
    inside_a_body = true;
    try {
      (*body)(border(index, ranges), border(index + 1, ranges));
    } catch (...) {  // carried to the caller, who rethrows it
      const std::lock_guard lock(failure_mutex);
      if (!failure) {
        failure = std::current_exception();
      }
    }
    inside_a_body = false;
  }

  [[nodiscard]] bool has_work() const noexcept {
    const Ticket seen = unpack(ticket.load(std::memory_order_acquire));
    return seen.claimed < seen.ranges || stopping.load(std::memory_order_acquire);
  }

  void work() {
    while (true) {
      if (!spin_until([this] { return has_work(); })) {
        std::unique_lock lock(sleep_mutex);
        work_condition.wait(lock, [this] { return has_work(); });
      }
      if (stopping.load(std::memory_order_acquire)) {
        return;
      }
      run_ranges();
    }
  }

  void start(int num_workers) {
    workers.reserve(static_cast<std::size_t>(num_workers));
    for (int i = 0; i < num_workers; ++i) {
      try {
        workers.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        return;  // the system's limit on threads: fewer do the same work
      }
    }
  }

  void pin_workers(std::span<const int> cpus) {
    for (std::size_t i = 0; i < workers.size(); ++i) {
      check_pinned(pin_thread(workers[i].native_handle(), cpus[i]), cpus[i]);
    }
  }

  void stop() {
    {
      const std::lock_guard lock(sleep_mutex);
      stopping.store(true, std::memory_order_release);
    }
    work_condition.notify_all();
    for (std::thread& worker : workers) {
      worker.join();
    }
  }

  void run(std::int64_t ranges) {
    unfinished.store(ranges, std::memory_order_relaxed);
    {
      const std::lock_guard lock(sleep_mutex);
      const Ticket last = unpack(ticket.load(std::memory_order_relaxed));
      ticket.store(pack({last.loop + 1, static_cast<std::uint16_t>(ranges), 0}),
                   std::memory_order_release);
    }
    if (ranges > 1) {
      work_condition.notify_all();
    }
    run_ranges();
    const auto done = [this] { return unfinished.load(std::memory_order_acquire) == 0; };
    if (!spin_until(done)) {
      std::unique_lock lock(sleep_mutex);
      done_condition.wait(lock, done);
    }
  }
};

ThreadPool::ThreadPool(int num_threads, std::span<const int> cpus)
    : impl_(std::make_unique<Impl>()) {
  if (num_threads <= 0) {
    num_threads = physical_cores();
  }
  num_threads = std::min(num_threads, kMaxThreads);
  if (!cpus.empty() && std::cmp_less(cpus.size(), num_threads)) {
    throw Error(ErrorCode::kUsage,
                std::to_string(num_threads) +
                    " threads are to have a core each, but this process may use only " +
                    std::to_string(cpus.size()) +
                    "; ask for fewer threads, or let them share cores (without --affinity)");
  }
  try {
    impl_->start(num_threads - 1);
    if (!cpus.empty()) {
      caller_cpu_ = cpus[0];
      impl_->pin_workers(cpus.subspan(1));
      check_pinned(pin_caller().error(), caller_cpu_);
    }
  } catch (...) {
    impl_->stop();  // a thread that still runs would end the program
    throw;
  }
}

ThreadPool::~ThreadPool() {
  impl_->stop();
}

int ThreadPool::num_threads() const noexcept {
  return static_cast<int>(impl_->workers.size()) + 1;
}

void ThreadPool::parallel_for(
    std::int64_t count, std::int64_t grain,
    const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  NOLENS_CHECK(count >= 0 && grain > 0);
  NOLENS_CHECK(!inside_a_body);
  if (count == 0) {
    return;
  }
  const std::lock_guard one_loop(impl_->caller_mutex);
  impl_->body = &body;
  impl_->count = count;
  impl_->grain = grain;
  impl_->run(std::min<std::int64_t>(num_threads(), ceil_div(count, grain)));
  if (std::exception_ptr failure = std::exchange(impl_->failure, nullptr)) {
    std::rethrow_exception(failure);
  }
}

}  // namespace nolens
