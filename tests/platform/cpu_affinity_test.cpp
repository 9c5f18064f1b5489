// Where threads may run, asked of the system while they do.
#include "platform/cpu_affinity.h"

#include <algorithm>
#include <barrier>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "platform/thread_pool.h"

namespace nolens {
namespace {

constexpr int kNoSuchCpu = 1 << 16;

/// Processors for three threads; the same one more than once where the machine has fewer.
std::vector<int> three_cpus() {
  const std::vector<int> usable = usable_cpus();
  std::vector<int> cpus;
  for (std::size_t i = 0; i < 3; ++i) {
    cpus.push_back(usable.at(i % usable.size()));
  }
  return cpus;
}

/// Where each thread of the pool may run while it is in a loop, sorted; the caller is among them.
std::vector<std::vector<int>> masks_in_a_loop(ThreadPool& pool) {
  const int threads = pool.num_threads();
  std::barrier all_here(threads);  // so that no thread takes two ranges
  std::mutex mutex;
  std::vector<std::vector<int>> masks;
  pool.parallel_for(threads, 1, [&](std::int64_t, std::int64_t) {
    all_here.arrive_and_wait();
    const std::lock_guard lock(mutex);
    masks.push_back(usable_cpus());
  });
  std::sort(masks.begin(), masks.end());
  return masks;
}

/// Runs `work` in a thread that may run on `cpu` only, as all of a process under taskset.
template <typename Work>
void restricted_to(int cpu, const Work& work) {
  std::thread([&] {
    ASSERT_EQ(pin_thread(::pthread_self(), cpu), 0);
    work();
  }).join();
}

TEST(CpuAffinity, EveryCoreHasOneOfTheUsableProcessors) {
  const std::vector<int> usable = usable_cpus();
  const std::vector<int> cores = one_cpu_per_core();
  ASSERT_FALSE(cores.empty());
  EXPECT_TRUE(std::includes(usable.begin(), usable.end(), cores.begin(), cores.end()));
  EXPECT_EQ(std::set(cores.begin(), cores.end()).size(), cores.size());
  EXPECT_GE(static_cast<int>(cores.size()), physical_cores());
}

TEST(CpuAffinity, OnlyProcessorsOfTheMaskAreTaken) {
  for (const int cpu : usable_cpus()) {
    restricted_to(cpu, [cpu] {
      EXPECT_EQ(usable_cpus(), std::vector{cpu});
      EXPECT_EQ(one_cpu_per_core(), std::vector{cpu});
      EXPECT_EQ(physical_cores(), 1);
    });
  }
}

TEST(CpuAffinity, APinEndsWithItsScope) {
  const std::vector<int> before = usable_cpus();
  {
    const ThreadPin pin(before.back());
    EXPECT_EQ(pin.error(), 0);
    EXPECT_EQ(usable_cpus(), std::vector{before.back()});
  }
  EXPECT_EQ(usable_cpus(), before);
  {
    const ThreadPin refused(kNoSuchCpu);
    EXPECT_EQ(refused.error(), EINVAL);
    EXPECT_EQ(usable_cpus(), before);
    const ThreadPin nothing(-1);
    EXPECT_EQ(usable_cpus(), before);
  }
  EXPECT_EQ(usable_cpus(), before);
}

TEST(CpuAffinity, EachThreadOfAPoolHasItsOwnProcessor) {
  const std::vector<int> before = usable_cpus();
  const std::vector<int> cpus = three_cpus();
  ThreadPool pool(3, cpus);
  ASSERT_EQ(pool.num_threads(), 3);
  std::vector<std::vector<int>> expected = {{cpus[0]}, {cpus[1]}, {cpus[2]}};
  std::sort(expected.begin(), expected.end());
  {
    const ThreadPin pin = pool.pin_caller();
    EXPECT_EQ(masks_in_a_loop(pool), expected);
    EXPECT_EQ(usable_cpus(), std::vector{cpus[0]});
  }
  EXPECT_EQ(usable_cpus(), before);
  // Without its pin the caller runs where it may, the others stay.
  expected = {before, {cpus[1]}, {cpus[2]}};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(masks_in_a_loop(pool), expected);
}

TEST(CpuAffinity, NothingIsPinnedUnlessAskedFor) {
  const std::vector<int> before = usable_cpus();
  ThreadPool pool(3);
  const ThreadPin pin = pool.pin_caller();
  EXPECT_EQ(masks_in_a_loop(pool), std::vector(3, before));
}

TEST(CpuAffinity, MoreThreadsThanProcessorsAreRefused) {
  const std::vector<int> cpus = three_cpus();
  try {
    ThreadPool pool(4, cpus);
    FAIL() << "four threads on three processors";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("4 threads"), std::string::npos) << error.what();
  }
}

TEST(CpuAffinity, ARefusalOfTheSystemIsAnError) {
  const int usable = usable_cpus().front();
  const std::vector<std::vector<int>> lists = {{kNoSuchCpu}, {usable, usable, kNoSuchCpu}};
  for (const std::vector<int>& cpus : lists) {
    try {
      ThreadPool pool(static_cast<int>(cpus.size()), cpus);
      FAIL() << "a processor that is not there";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kResource);
      EXPECT_NE(std::string(error.what()).find("processor 65536"), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace nolens
