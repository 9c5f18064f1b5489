// Resident memory of this process: now, and at most since a moment of choice.
#pragma once

#include <cstdint>

namespace nolens::cli {

/// From here on peak_resident_bytes() counts anew. Without effect where the system does not allow
/// it.
void reset_peak_resident();

/// 0 where the system does not tell.
std::int64_t peak_resident_bytes();

/// Of everything but mapped files of weights: code, libraries, what was allocated. 0 where the
/// system does not tell.
std::int64_t resident_bytes_beside_weights();

}  // namespace nolens::cli
