// The body of a request from its bytes on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nolens::serve {

/// Undoes chunks as strictly as HeadScanner reads heads. Memory grows with what has come, not with
/// what is declared; extensions of chunks and fields behind the last one are checked and dropped.
class BodyReader {
 public:
  enum class State { kMore, kComplete, kMalformed, kTooLarge };

  /// \param length  declared bytes; nothing: chunked
  /// \param limit   bytes a chunked body may have
  BodyReader(std::optional<std::uint64_t> length, std::size_t limit);

  /// Takes bytes from the front of `bytes`, all of them unless the body ends before.
  State take(std::string& bytes);

  [[nodiscard]] std::size_t size() const { return body_.size(); }
  [[nodiscard]] std::string take_body() { return std::move(body_); }

 private:
  enum class Part {
    kData,
    kSize,
    kExtension,
    kSizeLineFeed,
    kDataReturn,
    kDataLineFeed,
    kTrailerStart,
    kTrailer,
    kTrailerLineFeed,
    kLastLineFeed,
    kDone,
  };

  void step(char c);
  void step_size(char c);
  void expect(char c, char wanted, Part next);

  Part part_;
  bool is_chunked_;
  std::size_t limit_;
  std::uint64_t left_;        // of the data, or the size of the chunk as read so far
  std::size_t overhead_ = 0;  // bytes of the line or the trailer that are no data
  bool has_digit_ = false;
  State state_ = State::kMore;
  std::string body_;
};

}  // namespace nolens::serve
