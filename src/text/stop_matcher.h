// Stop texts that may straddle tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nolens {

/// Holds back text that may be the beginning of a stop text. The result does not depend on how the
/// text is divided into pushes. Time per byte is the number of stop texts, on average.
class StopMatcher {
 public:
  /// \throws Error{kUsage} for an empty stop text.
  explicit StopMatcher(std::vector<std::string> stop_texts);
  /// Appends `text`; returns what can be shown for certain. After a match, stopped() is true and
  /// everything from the stop text on is dropped. The stop text that is complete first counts, of
  /// those complete at the same byte the longest.
  std::string push(std::string_view text);
  /// What was held back, at the end of an answer without a stop text.
  std::string finish();
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

 private:
  /// A stop text and how much of it the text seen so far ends with (Knuth, Morris, Pratt 1977).
  struct Pattern {
    std::string text;
    std::vector<std::size_t> fallback;  // [n]: longest proper prefix of text that ends text[0..n]
    std::size_t matched = 0;
  };

  static void advance(Pattern& pattern, char byte) noexcept;

  std::vector<Pattern> patterns_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace nolens
