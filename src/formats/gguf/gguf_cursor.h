// Walks over the bytes of a GGUF file without ever leaving them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "nolens/error.h"

namespace nolens {

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  /// \throws Error{kModel} "<file>: <what>"
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kModel, name_ + ": " + what);
  }

  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] std::uint64_t remaining() const noexcept { return file_.size() - position_; }
  [[nodiscard]] const std::byte* here() const noexcept { return file_.data() + position_; }

  /// Steps over `count` bytes. \param what  what they are, for the message
  const std::byte* take(std::uint64_t count, const std::string& what) {
    if (count > remaining()) {
      fail(what + " needs " + std::to_string(count) + " bytes at offset " +
           std::to_string(position_) + ", but the file ends at " + std::to_string(file_.size()) +
           "; the file is incomplete, download it again");
    }
    const std::byte* begin = here();
    position_ += static_cast<std::size_t>(count);
    return begin;
  }

  template <typename T>
  T read(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what), sizeof(T));
    return value;
  }

  /// Length and bytes. \param limit  longest accepted
  std::string_view read_text(const std::string& what, std::uint64_t limit) {
    const auto length = read<std::uint64_t>(what);
    if (length > limit) {
      fail(what + " claims " + std::to_string(length) + " bytes, at most " + std::to_string(limit) +
           " are accepted");
    }
    const std::byte* text = take(length, what);
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
  }

 private:
  std::span<const std::byte> file_;
  const std::string& name_;
  std::size_t position_ = 0;
};

}  // namespace nolens
