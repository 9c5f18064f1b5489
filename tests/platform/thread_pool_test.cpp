// Coverage, order, errors and misuse of the pool. No timing is asserted.
#include "platform/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {
namespace {

using Range = std::pair<std::int64_t, std::int64_t>;

std::vector<Range> ranges_of(ThreadPool& pool, std::int64_t count, std::int64_t grain) {
  std::vector<Range> ranges;
  std::mutex mutex;
  pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(ThreadPool, RangesCoverTheLoopOnceOnBordersOfTheGrain) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.num_threads(), threads);
    for (const std::int64_t count : {1, 2, 5, 16, 100, 1001}) {
      for (const std::int64_t grain : {1, 3, 16, 2000}) {
        const std::vector<Range> ranges = ranges_of(pool, count, grain);
        ASSERT_LE(static_cast<int>(ranges.size()), threads);
        std::int64_t expected_begin = 0;
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, expected_begin);
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % grain, 0);
          expected_begin = end;
        }
        EXPECT_EQ(expected_begin, count);
      }
    }
  }
}

TEST(ThreadPool, AnEmptyLoopCallsNothing) {
  ThreadPool pool(3);
  pool.parallel_for(0, 1, [](std::int64_t, std::int64_t) { FAIL(); });
}

TEST(ThreadPool, EveryThreadGetsARangeOfALargeLoop) {
  ThreadPool pool(4);
  EXPECT_EQ(ranges_of(pool, 1000, 1).size(), 4U);
}

TEST(ThreadPool, ManyShortLoopsInARowLoseNothing) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  for (int i = 0; i < 20'000; ++i) {
    pool.parallel_for(3, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
  }
  EXPECT_EQ(sum.load(), 60'000);
}

TEST(ThreadPool, WakesUpAfterASleep) {
  ThreadPool pool(3);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than the pool spins
    EXPECT_EQ(ranges_of(pool, 3, 1).size(), 3U);
  }
}

TEST(ThreadPool, TheFirstExceptionReachesTheCallerAndThePoolLivesOn) {
  ThreadPool pool(4);
  for (int i = 0; i < 100; ++i) {
    std::atomic<int> finished{0};
    try {
      pool.parallel_for(4, 1, [&](std::int64_t begin, std::int64_t) {
        ++finished;
        if (begin >= 2) {
          throw std::runtime_error("range " + std::to_string(begin));
        }
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("range ", 0), 0U);
    }
    EXPECT_EQ(finished.load(), 4);  // all threads were done before the rethrow
  }
  EXPECT_EQ(ranges_of(pool, 4, 1).size(), 4U);
}

TEST(ThreadPool, NestedUseIsABug) {
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    try {
      pool.parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
        pool.parallel_for(1, 1, [](std::int64_t, std::int64_t) {});
      });
      FAIL() << "nested use went through";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInternal);
    }
    EXPECT_NO_THROW(ranges_of(pool, 10, 1));
  }
}

TEST(ThreadPool, WrongArgumentsAreBugs) {
  ThreadPool pool(1);
  const auto nothing = [](std::int64_t, std::int64_t) {};
  EXPECT_THROW(pool.parallel_for(-1, 1, nothing), Error);
  EXPECT_THROW(pool.parallel_for(1, 0, nothing), Error);
}

TEST(ThreadPool, LoopsOfSeveralCallersRunOneAfterTheOther) {
  ThreadPool pool(3);
  std::atomic<int> owner{-1};  // caller whose loop is in progress; its first range sets it
  std::atomic<bool> overlapped{false};
  std::atomic<std::int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 200; ++i) {
        std::atomic<int> ranges_left{3};
        pool.parallel_for(30, 1, [&](std::int64_t begin, std::int64_t end) {
          int nobody = -1;
          if (!owner.compare_exchange_strong(nobody, c) && nobody != c) {
            overlapped = true;
          }
          sum += end - begin;
          if (--ranges_left == 0) {
            owner = -1;
          }
        });
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_FALSE(overlapped.load());
  EXPECT_EQ(sum.load(), 4 * 200 * 30);
}

TEST(ThreadPool, ZeroMeansOnePerPhysicalCore) {
  ThreadPool pool(0);
  EXPECT_EQ(pool.num_threads(), physical_cores());
}

TEST(PhysicalCores, AreAtLeastOneAndAtMostTheProcessors) {
  EXPECT_GE(physical_cores(), 1);
  EXPECT_LE(physical_cores(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace nolens
