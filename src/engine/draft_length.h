// How many tokens are worth drafting, told by how the last drafts fared.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nolens {

/// A row computed ahead is cheap and not free. Drafts that are wholly accepted double in length,
/// others shrink to what was accepted and one more. After drafts that failed altogether, one after
/// the other, 1, 2, 4 … tokens are made without any, so that text without repetitions costs a row
/// in kLongestPause.
class DraftLength {
 public:
  /// `most` >= 1
  explicit DraftLength(std::int64_t most) : most_(most), length_(std::min(most, kFirst)) {}

  /// Tokens to draft for the next pass, 0 while it pauses.
  std::int64_t next() noexcept {
    if (pause_ > 0) {
      --pause_;
      return 0;
    }
    return length_;
  }

  /// `accepted` of `drafted` >= 1 tokens were right.
  void record(std::int64_t drafted, std::int64_t accepted) noexcept {
    if (accepted == 0) {
      length_ = std::max<std::int64_t>(1, length_ / 2);
      pause_ = next_pause_;
      next_pause_ = std::min(2 * next_pause_, kLongestPause);
      return;
    }
    next_pause_ = 1;
    length_ = accepted == drafted ? std::max(length_, 2 * drafted) : accepted + 1;
    length_ = std::min(length_, most_);
  }

 private:
  static constexpr std::int64_t kFirst = 4;
  static constexpr std::int64_t kLongestPause = 32;

  std::int64_t most_;
  std::int64_t length_;
  std::int64_t pause_ = 0;       ///< passes still to come without a draft
  std::int64_t next_pause_ = 1;  ///< after the next failure
};

}  // namespace nolens
