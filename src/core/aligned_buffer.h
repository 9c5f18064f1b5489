// Owning array, aligned for vector loads, whose size is fixed at construction.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "core/check.h"
#include "core/checked_math.h"
#include "core/huge_pages.h"

namespace nolens {

inline constexpr std::size_t kBufferAlignment = 64;  // one cache line, one AVX-512 register

/// Asks for a buffer whose values are written before they are read.
struct Unset {};

/// `size` values of a trivial type, zeroed. \throws Error{kResource} if memory is short.
template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t size) : AlignedBuffer(size, Unset{}) {
    if (size > 0) {
      std::memset(data_.get(), 0, static_cast<std::size_t>(size) * sizeof(T));
    }
  }
  AlignedBuffer(std::int64_t size, Unset) : size_(size) {
    const auto bytes = checked_mul(size, static_cast<std::int64_t>(sizeof(T)));
    NOLENS_CHECK(bytes.has_value());
    if (*bytes == 0) {
      return;
    }
    const auto count = static_cast<std::size_t>(*bytes);
    const std::size_t alignment = count >= kHugePageThreshold ? kHugePage : kBufferAlignment;
    void* memory = ::operator new(count, std::align_val_t{alignment}, std::nothrow);
    if (memory == nullptr) {
      throw Error(ErrorCode::kResource, "out of memory: could not allocate " +
                                            std::to_string(*bytes) +
                                            " bytes; try a smaller context (--ctx) or model");
    }
    if (alignment == kHugePage) {
      prefer_huge_pages(memory, count);
    }
    data_ = std::unique_ptr<T, Free>(static_cast<T*>(memory), Free{std::align_val_t{alignment}});
  }

  [[nodiscard]] T* data() noexcept { return data_.get(); }
  [[nodiscard]] const T* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<T> span() noexcept { return {data(), static_cast<std::size_t>(size_)}; }
  [[nodiscard]] std::span<const T> span() const noexcept {
    return {data(), static_cast<std::size_t>(size_)};
  }

 private:
  struct Free {
    std::align_val_t alignment{kBufferAlignment};
    void operator()(T* memory) const noexcept { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace nolens
