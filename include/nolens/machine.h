// What this machine offers.
#pragma once

#include <string>
#include <vector>

namespace nolens {

struct MachineInfo {
  std::vector<std::string> instruction_sets;  ///< values NOLENS_CPU may have here, best first
  std::string chosen_instruction_set;         ///< the one a model would use
  int physical_cores = 1;                     ///< this process may run on
};

/// \throws Error{kUsage} if NOLENS_CPU names an instruction set this machine cannot run.
MachineInfo machine_info();

/// Operations per second with all operands in registers; a multiplication and an addition are two.
/// 0 = the chosen instruction set has no such instruction.
struct ComputeLimits {
  double int8_ops = 0.0;
  double bf16_ops = 0.0;
  double fp32_ops = 0.0;
};

/// Bytes per second of reading 512 MiB, which no cache holds: of several passes.
struct ReadBandwidth {
  double median = 0.0;
  double best = 0.0;
};

/// Measures for half a second with `num_threads` threads, 0 = one per physical core.
/// \throws Error{kUsage} as machine_info()
ComputeLimits measure_compute_limits(int num_threads = 0);
/// Measures for a few tenths of a second; the memory is given back.
/// \throws Error{kUsage} as machine_info(), Error{kResource} if memory is short
ReadBandwidth measure_read_bandwidth(int num_threads = 0);

}  // namespace nolens
