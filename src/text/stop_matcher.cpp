// One Knuth-Morris-Pratt automaton per stop text.
#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "nolens/error.h"

namespace nolens {

StopMatcher::StopMatcher(std::vector<std::string> stop_texts) {
  patterns_.reserve(stop_texts.size());
  for (std::string& text : stop_texts) {
    if (text.empty()) {
      throw Error(ErrorCode::kUsage, "a stop text is empty; expected at least one character");
    }
    Pattern pattern{std::move(text), {}, 0};
    pattern.fallback.push_back(0);
    for (std::size_t i = 1; i < pattern.text.size(); ++i) {
      advance(pattern, pattern.text[i]);
      pattern.fallback.push_back(pattern.matched);
    }
    pattern.matched = 0;
    patterns_.push_back(std::move(pattern));
  }
}

void StopMatcher::advance(Pattern& pattern, char byte) noexcept {
  while (pattern.matched > 0 && pattern.text[pattern.matched] != byte) {
    pattern.matched = pattern.fallback[pattern.matched - 1];
  }
  pattern.matched += pattern.text[pattern.matched] == byte ? 1 : 0;
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped_) {
    return {};
  }
  for (const char byte : text) {
    pending_ += byte;
    std::size_t longest = 0;
    for (Pattern& pattern : patterns_) {
      advance(pattern, byte);
      if (pattern.matched == pattern.text.size()) {
        stopped_ = true;
        longest = std::max(longest, pattern.matched);
      }
    }
    if (stopped_) {
      pending_.resize(pending_.size() - longest);
      return std::exchange(pending_, {});
    }
  }
  std::size_t held = 0;
  for (const Pattern& pattern : patterns_) {
    held = std::max(held, pattern.matched);
  }
  std::string shown = pending_.substr(0, pending_.size() - held);
  pending_.erase(0, shown.size());
  return shown;
}

std::string StopMatcher::finish() {
  for (Pattern& pattern : patterns_) {
    pattern.matched = 0;
  }
  return std::exchange(pending_, {});
}

}  // namespace nolens
