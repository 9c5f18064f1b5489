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

}  // namespace nolens
