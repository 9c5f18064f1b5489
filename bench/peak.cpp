// Register-resident loops with many independent accumulators, and a streaming sum.
#include "peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/aligned_buffer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace nolens::bench {
namespace {

constexpr int kAccumulators = 12;  // more than latency times throughput, fewer than registers
constexpr std::int64_t kRounds = 400'000;
constexpr int kRepeats = 30;  // a quiet moment is among them on a busy machine too

/// Runs `rounds` rounds of kAccumulators instructions. The result only keeps them alive.
using Loop = float (*)(std::int64_t rounds);

float scalar_fma(std::int64_t rounds) {
  float acc[kAccumulators] = {};
  for (std::int64_t i = 0; i < rounds; ++i) {
    for (float& a : acc) {
      a = a * 0.999F + 1.0F;
      asm volatile("" : "+m"(a));
    }
  }
  return *std::max_element(std::begin(acc), std::end(acc));
}

#if defined(__x86_64__)
// The empty asm keeps every accumulator in a register and the loop as it is written.
#define NOLENS_PEAK_LOOP(Vector, zero, step, first)                    \
  Vector acc[kAccumulators];                                           \
  for (int j = 0; j < kAccumulators; ++j) {                            \
    acc[j] = zero;                                                     \
  }                                                                    \
  for (std::int64_t i = 0; i < rounds; ++i) {                          \
    _Pragma("GCC unroll 12") for (int j = 0; j < kAccumulators; ++j) { \
      acc[j] = step;                                                   \
      asm volatile("" : "+v"(acc[j]));                                 \
    }                                                                  \
  }                                                                    \
  return first

__attribute__((target("avx2,fma"))) float fma_256(std::int64_t rounds) {
  const __m256 x = _mm256_set1_ps(0.5F);
  NOLENS_PEAK_LOOP(__m256, _mm256_setzero_ps(), _mm256_fmadd_ps(x, x, acc[j]),
                   _mm256_cvtss_f32(acc[0]));
}
__attribute__((target("avx2"))) float maddubs_256(std::int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  NOLENS_PEAK_LOOP(
      __m256i, _mm256_setzero_si256(),
      _mm256_add_epi32(acc[j], _mm256_madd_epi16(_mm256_maddubs_epi16(acc[j], x), ones)),
      static_cast<float>(_mm256_extract_epi32(acc[0], 0)));
}
__attribute__((target("avx512f"))) float fma_512(std::int64_t rounds) {
  const __m512 x = _mm512_set1_ps(0.5F);
  NOLENS_PEAK_LOOP(__m512, _mm512_setzero_ps(), _mm512_fmadd_ps(x, x, acc[j]),
                   _mm512_cvtss_f32(acc[0]));
}
__attribute__((target("avx512f,avx512vnni"))) float dpbusd_512(std::int64_t rounds) {
  const __m512i x = _mm512_set1_epi8(1);
  NOLENS_PEAK_LOOP(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(acc[j], x, x),
                   static_cast<float>(_mm512_cvtsi512_si32(acc[0])));
}
__attribute__((target("avx512f,avx512bf16"))) float dpbf16_512(std::int64_t rounds) {
  const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3F00));
  NOLENS_PEAK_LOOP(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(acc[j], x, x),
                   _mm512_cvtss_f32(acc[0]));
}
__attribute__((target("avx2,avxvnni"))) float dpbusd_256(std::int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  NOLENS_PEAK_LOOP(__m256i, _mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(acc[j], x, x),
                   static_cast<float>(_mm256_extract_epi32(acc[0], 0)));
}
#elif defined(__aarch64__)
float fma_128(std::int64_t rounds) {
  const float32x4_t x = vdupq_n_f32(0.5F);
  float32x4_t acc[kAccumulators] = {};
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kAccumulators; ++j) {
      acc[j] = vfmaq_f32(acc[j], x, x);
      asm volatile("" : "+w"(acc[j]));
    }
  }
  return vgetq_lane_f32(acc[0], 0);
}
#endif

/// A loop and the operations of one of its instructions.
struct Probe {
  Loop loop = nullptr;
  double ops = 0.0;
};
struct Probes {
  Probe float_probe;
  Probe bf16_probe;
  Probe int8_probe;
};

Probes probes_of(std::string_view isa) {
#if defined(__x86_64__)
  if (isa == "avx512bf16") {
    return {{fma_512, 32}, {dpbf16_512, 64}, {dpbusd_512, 128}};
  }
  if (isa == "avx512vnni") {
    return {{fma_512, 32}, {}, {dpbusd_512, 128}};
  }
  if (isa == "avx512") {
    return {{fma_512, 32}, {}, {maddubs_256, 64}};
  }
  if (isa == "avx2vnni") {
    return {{fma_256, 16}, {}, {dpbusd_256, 64}};
  }
  if (isa == "avx2") {
    return {{fma_256, 16}, {}, {maddubs_256, 64}};
  }
#elif defined(__aarch64__)
  if (isa != "scalar") {
    return {{fma_128, 8}, {}, {}};
  }
#endif
  static_cast<void>(isa);
  return {{scalar_fma, 2}, {}, {}};
}

/// Work per second of `body`, which every thread runs once; the best of kRepeats.
template <typename Body>
double best_rate(ThreadPool& pool, double work, const Body& body) {
  double best = 0.0;
  for (int i = 0; i < kRepeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(pool.num_threads(), 1,
                      [&](std::int64_t thread, std::int64_t) { body(thread); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, work / seconds.count());
  }
  return best;
}

double ops_rate(ThreadPool& pool, const Probe& probe) {
  if (probe.loop == nullptr) {
    return 0.0;
  }
  std::atomic<float> sink{0.0F};
  const double work = probe.ops * kAccumulators * static_cast<double>(kRounds) * pool.num_threads();
  return best_rate(pool, work, [&](std::int64_t) { sink = probe.loop(kRounds); });
}

double read_rate(ThreadPool& pool) {
  constexpr std::int64_t kBytes = std::int64_t{512} << 20;
  const AlignedBuffer<std::uint64_t> memory(kBytes / 8);
  std::atomic<std::uint64_t> sink{0};
  const std::int64_t share = memory.size() / pool.num_threads();
  return best_rate(pool, static_cast<double>(share * pool.num_threads() * 8),
                   [&](std::int64_t thread) {
                     const std::uint64_t* data = memory.data() + thread * share;
                     std::uint64_t sums[16] = {};
                     for (std::int64_t i = 0; i + 16 <= share; i += 16) {
                       __builtin_prefetch(data + i + 512);
                       for (int j = 0; j < 16; ++j) {
                         sums[j] += data[i + j];
                       }
                     }
                     std::uint64_t sum = 0;
                     for (const std::uint64_t part : sums) {
                       sum += part;
                     }
                     sink += sum;
                   });
}

}  // namespace

Peak measure_peak(std::string_view isa, ThreadPool& pool) {
  const Probes probes = probes_of(isa);
  return {ops_rate(pool, probes.float_probe), ops_rate(pool, probes.bf16_probe),
          ops_rate(pool, probes.int8_probe), read_rate(pool)};
}

}  // namespace nolens::bench
