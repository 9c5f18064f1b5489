// Guards the parser: walks over the bytes of a request's head and refuses whatever two programs
// might understand differently.
#pragma once

#include <cstddef>
#include <string_view>

#include "serve/http/http_options.h"

namespace nolens::serve {

/// Accepts HTTP/1.1 heads of strict form only: CR LF ends every line, no folded lines, no space
/// before a colon, no control characters. Looks at every byte once.
class HeadScanner {
 public:
  enum class State { kMore, kComplete, kRefused };

  /// \param limits  outlives the scanner
  explicit HeadScanner(const HttpLimits& limits) : limits_(limits) {}

  /// \param all  everything received since the head began; what an earlier call saw unchanged
  State scan(std::string_view all);

  /// kComplete: bytes of the head with the empty line.
  [[nodiscard]] std::size_t size() const noexcept { return position_; }
  /// kRefused: the status to answer with and a sentence.
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

 private:
  enum class Part {
    kMethod,
    kTarget,
    kVersion,
    kLineStart,
    kName,
    kValue,
    kLineFeed,
    kLastLineFeed,
    kDone
  };

  void step(char c);
  void step_version(char c);
  void refuse(int status, std::string_view reason);

  const HttpLimits& limits_;
  Part part_ = Part::kMethod;
  std::size_t position_ = 0;
  std::size_t part_bytes_ = 0;  // of the method, target, version or name so far
  std::size_t fields_ = 0;
  int status_ = 0;
  std::string_view reason_;
};

}  // namespace nolens::serve
