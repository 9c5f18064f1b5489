// What this machine can do at most, measured: the measure of every benchmark here.
#pragma once

#include <string_view>

#include "platform/thread_pool.h"

namespace nolens::bench {

/// Operations per second (a multiplication and an addition are 2) with all operands in registers,
/// and bytes per second of reading memory much larger than the caches.
struct Peak {
  double float_ops = 0.0;
  double bf16_ops = 0.0;  ///< 0: no such instruction in this instruction set
  double int8_ops = 0.0;
  double read_bytes = 0.0;
};

/// Best of several short runs with all threads of the pool. `isa` as NOLENS_CPU spells it.
Peak measure_peak(std::string_view isa, ThreadPool& pool);

}  // namespace nolens::bench
