// Reads numbers in a file at places that may not exist.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "job.h"

namespace nolens::media_app {

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> file) : file_(file) {}

  [[nodiscard]] std::uint64_t size() const noexcept { return file_.size(); }
  [[nodiscard]] bool has(std::uint64_t at, std::uint64_t count) const noexcept {
    return at <= size() && count <= size() - at;
  }
  /// \throws Failure{kCut} unless has(at, count)
  void require(std::uint64_t at, std::uint64_t count) const {
    if (!has(at, count)) {
      constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
      const std::uint64_t end = count < kMost && at < kMost ? at + count : kMost;
      throw Failure{.reason = wire::Reason::kCut,
                    .a = static_cast<std::int64_t>(end),
                    .b = static_cast<std::int64_t>(size())};
    }
  }

  /// The following need has(at, count).
  [[nodiscard]] std::uint8_t byte(std::uint64_t at) const noexcept {
    return std::to_integer<std::uint8_t>(file_[at]);
  }
  [[nodiscard]] std::uint64_t little(std::uint64_t at, unsigned count) const noexcept {
    std::uint64_t value = 0;
    for (unsigned i = count; i > 0; --i) {
      value = value << 8 | byte(at + i - 1);
    }
    return value;
  }
  [[nodiscard]] std::uint64_t big(std::uint64_t at, unsigned count) const noexcept {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      value = value << 8 | byte(at + i);
    }
    return value;
  }
  [[nodiscard]] std::string_view text(std::uint64_t at, std::uint64_t count) const noexcept {
    return {reinterpret_cast<const char*>(file_.data()) + at, count};
  }
  /// False also where the file is too short.
  [[nodiscard]] bool is(std::uint64_t at, std::string_view word) const noexcept {
    return has(at, word.size()) && text(at, word.size()) == word;
  }

 private:
  std::span<const std::byte> file_;
};

}  // namespace nolens::media_app
