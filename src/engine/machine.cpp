#include "nolens/machine.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/peak/peak.h"
#include "kernels/kernels.h"
#include "platform/thread_pool.h"

namespace nolens {

MachineInfo machine_info() {
  MachineInfo info;
  for (const std::string_view name : runnable_instruction_sets()) {
    info.instruction_sets.emplace_back(name);
  }
  info.chosen_instruction_set = choose_table().name;
  info.physical_cores = physical_cores();
  return info;
}

ComputeLimits measure_compute_limits(int num_threads) {
  ThreadPool pool(num_threads);
  const ComputePeak peak = measure_compute(choose_table().name, pool);
  return {peak.int8_ops, peak.bf16_ops, peak.float_ops};
}

ReadBandwidth measure_read_bandwidth(int num_threads) {
  ThreadPool pool(num_threads);
  const ReadPeak peak = measure_read(choose_table().name, pool);
  return {peak.median, peak.best};
}

}  // namespace nolens
