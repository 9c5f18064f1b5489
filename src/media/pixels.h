// Memory for decoded pixels: tens of megabytes that are written once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace nolens {

/// Large blocks ask the system for large memory pages, which take a tenth of the time to come into
/// being. \throws std::bad_alloc
[[nodiscard]] void* allocate_pixels(std::size_t bytes);
void release_pixels(void* memory, std::size_t bytes) noexcept;

/// Values that a vector adds without naming a value stay unset: `Pixels(n)` must be filled by its
/// maker, `Pixels(n, 0)` is zeroed.
template <typename T>
struct PixelAllocator {
  using value_type = T;

  PixelAllocator() = default;
  template <typename U>
  explicit PixelAllocator(const PixelAllocator<U>& /*other*/) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    return static_cast<T*>(allocate_pixels(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    release_pixels(memory, count * sizeof(T));
  }
  template <typename U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <typename U, typename... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
  template <typename U>
  bool operator==(const PixelAllocator<U>& /*other*/) const noexcept {
    return true;
  }
};

using Pixels = std::vector<std::uint8_t, PixelAllocator<std::uint8_t>>;

}  // namespace nolens
