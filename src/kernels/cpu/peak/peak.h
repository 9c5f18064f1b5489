// What this machine can do at most, measured: the yardstick of every speed.
#pragma once

#include <string_view>

#include "platform/thread_pool.h"

namespace nolens {

/// Operations per second with all operands in registers; a multiplication and an addition are two.
/// 0 = the instruction set has no such instruction.
struct ComputePeak {
  double float_ops = 0.0;
  double bf16_ops = 0.0;
  double int8_ops = 0.0;
};

/// Bytes per second of reading memory much larger than the caches.
struct ReadPeak {
  double median = 0.0;
  double best = 0.0;
};

/// Best of many runs of a fraction of a millisecond with all threads of the pool: a quiet moment is
/// among them on a busy machine too. \pre `isa` is one of runnable_instruction_sets().
ComputePeak measure_compute(std::string_view isa, ThreadPool& pool);

/// Streams through 512 MiB several times with all threads of the pool; the memory is given back.
/// \throws Error{kResource} if there is not as much.
ReadPeak measure_read(std::string_view isa, ThreadPool& pool);

/// The same in one.
struct Peak : ComputePeak {
  double read_bytes = 0.0;  ///< best
};
Peak measure_peak(std::string_view isa, ThreadPool& pool);

}  // namespace nolens
