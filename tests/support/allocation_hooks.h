// Every allocation of a test program passes through a function of the test.
//
// Add ../support/allocation_hooks.cpp to the sources of the program and define on_allocation().
#pragma once

namespace nolens {

/// Called before each allocation with operator new, on any thread; false makes that allocation
/// fail. Must not allocate while it returns true. Defined by the test.
bool on_allocation() noexcept;

}  // namespace nolens
