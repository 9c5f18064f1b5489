// The head of an HTTP answer: status and header lines, with limits, and the few headers the hub's
// protocol uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nolens::hub {

inline constexpr std::size_t kMaxHeadBytes = 64U << 10U;
inline constexpr std::size_t kMaxHeaders = 200;

struct HttpHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case

  /// Value of the first header of that (lower-case) name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::string get(std::string_view name) const;
  [[nodiscard]] bool is_redirect() const {
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
  }
};

/// Takes an answer's head line by line. Heads of preliminary answers (1xx) are passed over.
class HeadParser {
 public:
  enum class State : std::uint8_t { kMore, kComplete, kRefused };
  /// `line` with or without its line end. kRefused: no HTTP, or above the limits.
  State feed(std::string_view line);
  [[nodiscard]] const HttpHead& head() const { return head_; }

 private:
  HttpHead head_;
  std::size_t bytes_ = 0;
};

/// A whole number of decimal digits that fits.
[[nodiscard]] std::optional<std::int64_t> parse_count(std::string_view text);

/// The address of rel="next" in a Link header.
[[nodiscard]] std::optional<std::string> next_link(std::string_view link);

struct ContentRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::optional<std::int64_t> total;  ///< nothing for '*'
};
/// "bytes 5-9/10"
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view text);

/// Seconds to wait before another attempt: from an exhausted RateLimit header, else Retry-After in
/// seconds. Dates are not read.
[[nodiscard]] std::optional<std::int64_t> retry_after_seconds(const HttpHead& head);

}  // namespace nolens::hub
