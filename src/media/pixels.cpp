// Large blocks lie on large memory pages.
#include "media/pixels.h"

#include "core/huge_pages.h"

namespace nolens {

void* allocate_pixels(std::size_t bytes) {
  if (bytes < kHugePageThreshold) {
    return ::operator new(bytes);
  }
  void* memory = ::operator new(bytes, std::align_val_t{kHugePage});
  prefer_huge_pages(memory, bytes);
  return memory;
}

void release_pixels(void* memory, std::size_t bytes) noexcept {
  if (bytes < kHugePageThreshold) {
    ::operator delete(memory);
  } else {
    ::operator delete(memory, std::align_val_t{kHugePage});
  }
}

}  // namespace nolens
