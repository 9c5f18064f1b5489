// Giving back memory of mapped files.
#pragma once

#include <cstddef>
#include <span>

namespace nolens {

/// Takes the whole pages inside `bytes`, which must be part of a MappedFile, out of this process's
/// memory. They are read from the file again when they are touched. Without effect where the system
/// refuses.
void release_pages(std::span<const std::byte> bytes) noexcept;

}  // namespace nolens
