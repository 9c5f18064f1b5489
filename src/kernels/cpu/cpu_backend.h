// The processor behind kernels.h: checks shapes, splits work over the pool, calls a table's
// kernels.
#pragma once

#include <memory>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/kernels.h"

namespace nolens {

/// make_cpu_kernels with a table of the caller's choice, which this machine must be able to run.
std::unique_ptr<Kernels> make_cpu_kernels(const KernelTable& table, ThreadPool& pool,
                                          const KernelOptions& options);

}  // namespace nolens
