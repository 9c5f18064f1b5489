// How the CPU backend hands out work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>

#include "core/checked_math.h"
#include "platform/thread_pool.h"

namespace nolens {

/// Calls body(begin, end, slot) for [0, count) in pieces of `chunk`, which threads take as they
/// become free, so that a thread whose core is busy with something else takes fewer. slot <
/// num_threads is the taker's own, for scratch memory. One chunk, or one thread, stays on the
/// calling thread.
template <typename Body>
void for_each_chunk(ThreadPool& pool, std::int64_t count, std::int64_t chunk, const Body& body) {
  const std::int64_t chunks = ceil_div(count, chunk);
  const auto run_chunk = [&](std::int64_t index, std::int64_t slot) {
    body(index * chunk, std::min(count, (index + 1) * chunk), slot);
  };
  const std::int64_t threads = std::min<std::int64_t>(pool.num_threads(), chunks);
  if (threads <= 1) {
    for (std::int64_t i = 0; i < chunks; ++i) {
      run_chunk(i, 0);
    }
    return;
  }
  std::atomic<std::int64_t> next{0};
  const auto take_chunks = [&](std::int64_t slot, std::int64_t) {
    for (std::int64_t i = next.fetch_add(1); i < chunks; i = next.fetch_add(1)) {
      run_chunk(i, slot);
    }
  };
  pool.parallel_for(threads, 1,
                    std::ref(take_chunks));  // by reference: std::function would allocate
}

}  // namespace nolens
