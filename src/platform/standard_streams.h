// The three descriptors every program may rely on.
#pragma once

namespace nolens {

/// Opens /dev/null on those of descriptors 0, 1 and 2 that were closed by whoever started the
/// program. Otherwise the next file that is opened gets the number, and messages end up in it. For
/// the first line of main().
void open_missing_standard_streams() noexcept;

}  // namespace nolens
