// Work on the rows of one picture, on all threads of a pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "platform/thread_pool.h"

namespace nolens {

/// body(next) on every thread, where next() gives each of 0 … count - 1 to one caller, then
/// `count`. Without a pool on the calling thread.
template <typename Body>
void share(ThreadPool* pool, std::int64_t count, const Body& body) {
  std::atomic<std::int64_t> taken{0};
  const auto next = [&] { return std::min(count, taken.fetch_add(1)); };
  const std::int64_t threads =
      pool == nullptr ? 1 : std::min<std::int64_t>(pool->num_threads(), count);
  if (threads <= 1) {
    body(next);
    return;
  }
  pool->parallel_for(threads, 1, [&](std::int64_t, std::int64_t) { body(next); });
}

}  // namespace nolens
