// Scratch memory that is kept from call to call.
#pragma once

#include <cstdint>

#include "core/aligned_buffer.h"

namespace nolens {

/// Room for `size` values; the buffer only grows. What it held is lost when it does.
template <typename T>
T* grown(AlignedBuffer<T>& buffer, std::int64_t size) {
  if (buffer.size() < size) {
    buffer = AlignedBuffer<T>(size);
  }
  return buffer.data();
}

}  // namespace nolens
