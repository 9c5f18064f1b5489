// Built without instruction-set flags, as dispatch.cpp.
#include "kernels/cpu/peak/peak.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/aligned_buffer.h"
#include "core/check.h"
#include "core/huge_pages.h"
#include "kernels/cpu/peak/peak_loops.h"

namespace nolens {
namespace {

constexpr std::int64_t kRounds = 100'000;
constexpr double kSecondsForEach = 0.2;
constexpr std::int64_t kReadBytes = std::int64_t{512} << 20;
constexpr std::size_t kReadPasses = 9;
constexpr std::int64_t kReadUnit = 64;  ///< values, see PeakLoops::read

const PeakLoops& loops_of(std::string_view isa) {
  static const std::pair<std::string_view, const PeakLoops*> kKnown[] = {
      {"scalar", &peak_loops::scalar::kLoops},
#ifdef NOLENS_HAVE_X86_TABLES
      {"avx2", &peak_loops::avx2::kLoops},
      {"avx2vnni", &peak_loops::avx2vnni::kLoops},
      {"avx512", &peak_loops::avx512::kLoops},
      {"avx512vnni", &peak_loops::avx512vnni::kLoops},
      {"avx512bf16", &peak_loops::avx512bf16::kLoops},
#endif
#ifdef NOLENS_HAVE_NEON_TABLES
      {"neon", &peak_loops::neon::kLoops},
      {"neon-dotprod", &peak_loops::neon_dotprod::kLoops},
      {"neon-i8mm", &peak_loops::neon_i8mm::kLoops},
#endif
  };
  const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown),
                                   [&](const auto& known) { return known.first == isa; });
  NOLENS_CHECK(found != std::end(kKnown));
  return *found->second;
}

/// Seconds until body(thread) has run on every thread.
template <typename Body>
double seconds_on_all(ThreadPool& pool, const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  pool.parallel_for(pool.num_threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t thread = begin; thread < end; ++thread) {
      body(thread);
    }
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double ops_rate(ThreadPool& pool, const PeakLoop& loop) {
  if (loop.run == nullptr) {
    return 0.0;
  }
  std::atomic<float> sink{0.0F};
  double shortest = 1e9;
  double spent = 0.0;
  while (spent < kSecondsForEach) {
    const double seconds = seconds_on_all(pool, [&](std::int64_t) { sink = loop.run(kRounds); });
    shortest = std::min(shortest, seconds);
    spent += seconds;
  }
  return loop.ops * kPeakAccumulators * static_cast<double>(kRounds) * pool.num_threads() /
         shortest;
}

}  // namespace

ComputePeak measure_compute(std::string_view isa, ThreadPool& pool) {
  const PeakLoops& loops = loops_of(isa);
  return {ops_rate(pool, loops.fp32), ops_rate(pool, loops.bf16), ops_rate(pool, loops.int8)};
}

ReadPeak measure_read(std::string_view isa, ThreadPool& pool) {
  const PeakLoops& loops = loops_of(isa);
  AlignedBuffer<std::uint64_t> memory(kReadBytes / 8, Unset{});
  const std::int64_t share = memory.size() / pool.num_threads() / kReadUnit * kReadUnit;
  const auto part = [&](std::int64_t thread) { return memory.data() + thread * share; };
  seconds_on_all(pool, [&](std::int64_t thread) {
    std::memset(part(thread), 1,
                static_cast<std::size_t>(share) * 8);  // zero pages would be shared
  });
  std::atomic<std::uint64_t> sink{0};
  std::array<double, kReadPasses> rates{};
  for (double& rate : rates) {
    const double seconds =
        seconds_on_all(pool, [&](std::int64_t thread) { sink += loops.read(part(thread), share); });
    rate = static_cast<double>(share * pool.num_threads() * 8) / seconds;
  }
  std::sort(rates.begin(), rates.end());
  return {rates[kReadPasses / 2], rates.back()};
}

Peak measure_peak(std::string_view isa, ThreadPool& pool) {
  return {measure_compute(isa, pool), measure_read(isa, pool).best};
}

}  // namespace nolens
