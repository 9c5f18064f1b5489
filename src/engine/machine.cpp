#include "nolens/machine.h"

#include "kernels/kernels.h"
#include "platform/thread_pool.h"

namespace nolens {

MachineInfo machine_info() {
  MachineInfo info;
  for (const std::string_view name : runnable_instruction_sets()) {
    info.instruction_sets.emplace_back(name);
  }
  ThreadPool pool(1);
  info.chosen_instruction_set = make_cpu_kernels(pool)->name();
  info.physical_cores = physical_cores();
  return info;
}

}  // namespace nolens
