// Which kernel tables this machine can run, and which one it should.
#pragma once

#include <vector>

#include "kernels/cpu/cpu_kernels.h"

namespace nolens {

/// Tables built into this program that the processor and the operating system support, best first.
/// Never empty: the scalar table always runs.
[[nodiscard]] const std::vector<const KernelTable*>& runnable_tables();

/// The best table, or the one the environment variable NOLENS_CPU names.
/// \throws Error{kUsage} if that name is unknown or the table cannot run here.
[[nodiscard]] const KernelTable& choose_table();

}  // namespace nolens
