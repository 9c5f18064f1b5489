// Large pages for large buffers.
#pragma once

#include <cstddef>

#include <sys/mman.h>

namespace nolens {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20U;

/// Buffers from this size on ask for huge pages: at most 1/16 of one is rounding.
inline constexpr std::size_t kHugePageThreshold = 16 * kHugePage;

/// Asks the system to back memory that begins at a multiple of kHugePage with huge pages, which saves
/// most misses of the address translation in long streams. Without effect where it refuses.
inline void prefer_huge_pages(void* memory, std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  static_cast<void>(::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
#else
  static_cast<void>(memory);
  static_cast<void>(bytes);
#endif
}

}  // namespace nolens
