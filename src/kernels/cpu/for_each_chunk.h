// How the CPU backend hands out work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "core/checked_math.h"
#include "core/matrix.h"
#include "platform/thread_pool.h"

namespace nolens {

/// Has every thread, at most `pieces` of them, call take(slot) once; slot < num_threads is the
/// taker's own, for scratch memory. A single one stays on the calling thread.
template <typename Take>
void on_threads(ThreadPool& pool, std::int64_t pieces, const Take& take) {
  const std::int64_t threads = std::min<std::int64_t>(pool.num_threads(), pieces);
  if (threads <= 1) {
    take(0);
    return;
  }
  const auto run = [&](std::int64_t slot, std::int64_t) { take(slot); };
  pool.parallel_for(threads, 1, std::ref(run));  // by reference: std::function would allocate
}

/// Calls body(begin, end, slot) for [0, count) in pieces of `chunk`, which threads take as they
/// become free, so that a thread whose core is busy with something else takes fewer.
template <typename Body>
void for_each_chunk(ThreadPool& pool, std::int64_t count, std::int64_t chunk, const Body& body) {
  const std::int64_t chunks = ceil_div(count, chunk);
  std::atomic<std::int64_t> next{0};
  on_threads(pool, chunks, [&](std::int64_t slot) {
    for (std::int64_t i = next.fetch_add(1); i < chunks; i = next.fetch_add(1)) {
      body(i * chunk, std::min(count, (i + 1) * chunk), slot);
    }
  });
}

/// The same in pieces that shrink from `most` to `least`, as OpenMP's guided schedule: streams from
/// memory that are long, and threads that are done at about the same time.
template <typename Body>
void for_each_share(ThreadPool& pool, std::int64_t count, std::int64_t least, std::int64_t most,
                    const Body& body) {
  const std::int64_t threads = pool.num_threads();
  std::atomic<std::int64_t> next{0};
  on_threads(pool, ceil_div(count, least), [&](std::int64_t slot) {
    std::int64_t begin = next.load();
    while (begin < count) {
      const std::int64_t share = std::clamp((count - begin) / (2 * threads), least, most);
      const std::int64_t end = std::min(count, begin + share);
      if (next.compare_exchange_weak(begin, end)) {
        body(begin, end, slot);
        begin = next.load();
      }
    }
  });
}

// Waking the pool costs a few microseconds: about what this many values of a cheap operation cost.
inline constexpr std::int64_t kValuesPerChunk = 16 * 1024;
// Columns of one row that a costly elementwise operation gives one thread.
inline constexpr std::int64_t kColumnsPerChunk = 2048;

/// body(row) or body(row, slot of the thread), several rows per thread at a time.
template <typename Body>
void for_rows(ThreadPool& pool, std::int64_t rows, std::int64_t cols, const Body& body) {
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kValuesPerChunk / std::max<std::int64_t>(1, cols));
  for_each_chunk(pool, rows, chunk, [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
    for (std::int64_t t = begin; t < end; ++t) {
      if constexpr (std::is_invocable_v<Body, std::int64_t, std::int64_t>) {
        body(t, slot);
      } else {
        body(t);
      }
    }
  });
}

/// body(row, first column, columns) for operations whose values do not depend on their neighbours.
template <typename Body>
void for_pieces(ThreadPool& pool, ConstMatrix x, const Body& body) {
  const std::int64_t per_row = ceil_div(x.cols, kColumnsPerChunk);
  for_each_chunk(pool, x.rows * per_row, 1, [&](std::int64_t index, std::int64_t, std::int64_t) {
    const std::int64_t begin = index % per_row * kColumnsPerChunk;
    body(index / per_row, begin, std::min(kColumnsPerChunk, x.cols - begin));
  });
}

}  // namespace nolens
