// How many allocations a test program has made.
//
// Add ../support/allocation_count.cpp and ../support/allocation_hooks.cpp to its sources.
#pragma once

namespace nolens {

/// With operator new, on all threads, since the program began.
long allocation_count() noexcept;

}  // namespace nolens
