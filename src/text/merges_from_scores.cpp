// One pass over the texts with a hash that gives every prefix and suffix in constant time, so that
// the work is linear in the bytes of the vocabulary however long its tokens are.
#include "text/merges_from_scores.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "nolens/error.h"

#include "text/hash.h"
#include "text/tokenizer_data.h"
#include "text/utf8.h"

namespace nolens {
namespace {

/// hash(text) = sum of (byte + 1) * kBase^(bytes after it), modulo 2^64.
constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15;

constexpr std::uint64_t extend(std::uint64_t hash, char c) noexcept {
  return hash * kBase + static_cast<unsigned char>(c) + 1U;
}

/// The texts of a vocabulary, looked up by polynomial hash.
class TextSet {
 public:
  explicit TextSet(std::span<const ScoredToken> tokens)
      : tokens_(tokens), slots_(std::bit_ceil(2 * tokens.size() + 1)), mask_(slots_.size() - 1) {
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      std::uint64_t hash = 0;
      for (const char c : tokens[id].text) {
        hash = extend(hash, c);
      }
      if (!tokens[id].text.empty()) {
        insert(hash, static_cast<std::uint32_t>(id));
      }
    }
  }

  [[nodiscard]] bool contains(std::string_view text, std::uint64_t hash) const noexcept {
    const std::uint64_t mixed = mix64(hash, kBase);
    const auto tag = static_cast<std::uint32_t>(mixed >> 32U);
    for (std::size_t slot = mixed & mask_; slots_[slot].id != kFree; slot = (slot + 1) & mask_) {
      if (slots_[slot].tag == tag && tokens_[slots_[slot].id].text == text) {
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t id = kFree;
  };

  void insert(std::uint64_t hash, std::uint32_t id) noexcept {
    const std::uint64_t mixed = mix64(hash, kBase);
    std::size_t slot = mixed & mask_;
    while (slots_[slot].id != kFree) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = {static_cast<std::uint32_t>(mixed >> 32U), id};
  }

  std::span<const ScoredToken> tokens_;
  std::vector<Slot> slots_;  // power of two, linear probing
  std::size_t mask_;
};

/// A token cut in two.
struct Cut {
  std::string_view left;
  std::string_view right;
  std::uint32_t left_chars = 0;
  std::uint32_t right_chars = 0;
};

class Splitter {
 public:
  Splitter(std::span<const ScoredToken> tokens, const std::string& name)
      : set_(tokens), name_(name) {}

  /// Appends the cuts of a text, the longest left part first.
  void append_cuts(std::string_view text, std::vector<Cut>& cuts) {
    starts_.clear();
    hashes_.clear();
    powers_.assign(1, 1);
    std::uint64_t hash = 0;
    for (std::size_t offset = 0; offset < text.size();) {
      starts_.push_back(offset);
      hashes_.push_back(hash);
      const std::size_t end = offset + decode_char(text, offset).length;
      for (; offset < end; ++offset) {
        hash = extend(hash, text[offset]);
        powers_.push_back(powers_.back() * kBase);
      }
    }
    for (std::size_t chars = starts_.size(); chars-- > 1;) {
      const std::string_view left = text.substr(0, starts_[chars]);
      const std::string_view right = text.substr(starts_[chars]);
      // hash(text) = hash(left) * kBase^|right| + hash(right)
      const std::uint64_t right_hash = hash - hashes_[chars] * powers_[right.size()];
      if (set_.contains(left, hashes_[chars]) && set_.contains(right, right_hash)) {
        if (static_cast<std::int64_t>(cuts.size()) >= kMaxMerges) {
          throw Error(ErrorCode::kModel, name_ + ": the vocabulary has more than " +
                                             std::to_string(kMaxMerges) +
                                             " merges; no real one does");
        }
        cuts.push_back({left, right, static_cast<std::uint32_t>(chars),
                        static_cast<std::uint32_t>(starts_.size() - chars)});
      }
    }
  }

 private:
  TextSet set_;
  const std::string& name_;
  std::vector<std::size_t> starts_;    // of each character
  std::vector<std::uint64_t> hashes_;  // of the text before each character
  std::vector<std::uint64_t> powers_;  // kBase^i
};

/// Ids by falling score, equal ones by id.
std::vector<std::uint32_t> by_score(std::span<const ScoredToken> tokens, const std::string& name) {
  const auto bad = std::find_if(tokens.begin(), tokens.end(),
                                [](const ScoredToken& token) { return std::isnan(token.score); });
  if (bad != tokens.end()) {
    throw Error(ErrorCode::kModel, name + ": the score of token " +
                                       std::to_string(bad - tokens.begin()) +
                                       " is not a number; the file is damaged, get it again");
  }
  std::vector<std::uint32_t> ids(tokens.size());
  std::iota(ids.begin(), ids.end(), 0U);
  std::stable_sort(ids.begin(), ids.end(), [&](std::uint32_t a, std::uint32_t b) {
    return tokens[a].score > tokens[b].score;
  });
  return ids;
}

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> merges_from_scores(
    std::span<const ScoredToken> tokens, const std::string& name) {
  if (static_cast<std::int64_t>(tokens.size()) > kMaxTokens) {
    throw Error(ErrorCode::kModel, name + ": expected at most " + std::to_string(kMaxTokens) +
                                       " tokens, found " + std::to_string(tokens.size()));
  }
  const std::vector<std::uint32_t> ids = by_score(tokens, name);
  Splitter splitter(tokens, name);
  std::vector<Cut> cuts;
  cuts.reserve(2 * tokens.size());
  for (std::size_t first = 0; first < ids.size();) {
    const auto begin = static_cast<std::ptrdiff_t>(cuts.size());
    std::size_t last = first;
    for (; last < ids.size() && tokens[ids[last]].score == tokens[ids[first]].score; ++last) {
      splitter.append_cuts(tokens[ids[last]].text, cuts);
    }
    // The cuts of one token are in order already; those of tokens with one score mix.
    if (last - first > 1) {
      std::stable_sort(cuts.begin() + begin, cuts.end(), [](const Cut& a, const Cut& b) {
        return a.left_chars != b.left_chars ? a.left_chars > b.left_chars
                                            : a.right_chars > b.right_chars;
      });
    }
    first = last;
  }
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  merges.reserve(cuts.size());
  std::transform(cuts.begin(), cuts.end(), std::back_inserter(merges),
                 [](const Cut& cut) { return std::pair(cut.left, cut.right); });
  return merges;
}

}  // namespace nolens
