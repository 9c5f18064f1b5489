// An owned file descriptor, and those that are made for talking to a child process.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace nolens {

/// Closes its descriptor. -1 = none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  [[nodiscard]] int number() const noexcept { return number_; }
  void reset() noexcept;

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

/// Both ends are closed on exec. \throws Error{kResource} if this process has no descriptor left.
Pipe make_pipe();

/// Memory behind a descriptor that can be read but neither written nor resized any more; it holds
/// a copy of `bytes` and is closed on exec. \throws Error{kResource} if memory is short.
Descriptor sealed_memory(std::span<const std::byte> bytes);

}  // namespace nolens
