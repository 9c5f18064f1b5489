// The merges of a byte-pair encoding: (left id, right id) -> rank and merged id.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "text/hash.h"
#include "text/tokenizer_data.h"
#include "text/vocabulary.h"

namespace nolens {

struct Merge {
  std::uint32_t rank = std::numeric_limits<std::uint32_t>::max();  ///< max: the pair never merges
  TokenId id = -1;
};

constexpr std::uint32_t kNoMerge = std::numeric_limits<std::uint32_t>::max();

class MergeTable {
 public:
  /// Leaves out merges of or into tokens that plain text may not become.
  /// \throws Error{kModel} naming the first merge whose parts or result are no tokens.
  MergeTable(const TokenizerData& data, const Vocabulary& vocabulary);

  [[nodiscard]] Merge find(TokenId left, TokenId right) const noexcept {
    const auto a = static_cast<std::uint32_t>(left);
    const auto b = static_cast<std::uint32_t>(right);
    const std::uint64_t hash = hash_pair(a, b);
    // Most pairs do not merge: one bit in a table that stays in the cache says so for nearly all.
    const std::uint64_t bit = hash >> filter_shift_;
    if ((filter_[bit / 64] >> (bit % 64) & 1U) == 0) {
      return {};
    }
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = hash & mask;; slot = (slot + 1) & mask) {
      const Slot& candidate = slots_[slot];
      if (candidate.left == a && candidate.right == b) {
        return candidate.merge;
      }
      if (candidate.merge.rank == kNoMerge) {
        return {};
      }
    }
  }

 private:
  struct Slot {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    Merge merge;
  };

  void insert(TokenId left, TokenId right, Merge merge) noexcept;

  std::vector<Slot> slots_;  // power of two, linear probing
  std::vector<std::uint64_t> filter_;
  unsigned filter_shift_ = 0;
};

}  // namespace nolens
