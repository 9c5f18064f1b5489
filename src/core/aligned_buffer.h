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

namespace nolens {

inline constexpr std::size_t kBufferAlignment = 64;  // one cache line, one AVX-512 register

/// `size` values of a trivial type, zeroed. \throws Error{kResource} if memory is short.
template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t size) : size_(size) {
    const auto bytes = checked_mul(size, static_cast<std::int64_t>(sizeof(T)));
    NOLENS_CHECK(bytes.has_value());
    if (*bytes == 0) {
      return;
    }
    void* memory = ::operator new(static_cast<std::size_t>(*bytes),
                                  std::align_val_t{kBufferAlignment}, std::nothrow);
    if (memory == nullptr) {
      throw Error(ErrorCode::kResource, "out of memory: could not allocate " +
                                            std::to_string(*bytes) +
                                            " bytes; try a smaller context (--ctx) or model");
    }
    std::memset(memory, 0, static_cast<std::size_t>(*bytes));
    data_.reset(static_cast<T*>(memory));
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
    void operator()(T* memory) const noexcept {
      ::operator delete(memory, std::align_val_t{kBufferAlignment});
    }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace nolens
