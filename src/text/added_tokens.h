// Finds added tokens in a text: the leftmost one, and of those the longest.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nolens/tokenizer.h"

namespace nolens {

/// A trie over the bytes of the added tokens.
class AddedTokens {
 public:
  struct Pattern {
    std::string text;  ///< 1 to kMaxAddedTokenBytes bytes
    TokenId id = -1;
    bool special = false;
    bool strip_left = false;
    bool strip_right = false;
  };
  struct Match {
    std::size_t begin = 0, end = 0;  ///< bytes in the text, stripped white space included
    TokenId id = -1;
  };

  /// Of patterns with the same text the first counts.
  explicit AddedTokens(std::vector<Pattern> patterns);

  [[nodiscard]] bool empty() const noexcept { return patterns_.empty(); }
  /// The first match at or after `from`. With kNo, a special token found is passed over as plain
  /// text (Hugging Face's `encode_special_tokens`).
  [[nodiscard]] std::optional<Match> find(std::string_view text, std::size_t from,
                                          ParseSpecial parse_special) const noexcept;

 private:
  struct Node {
    std::uint32_t first_child = 0;  // children are consecutive, sorted by byte
    std::uint16_t child_count = 0;
    std::uint8_t byte = 0;
    std::int32_t pattern = -1;  // of the path from the root to here
  };

  [[nodiscard]] const Node* child(const Node& node, std::uint8_t byte) const noexcept;
  [[nodiscard]] std::int32_t longest_at(std::string_view text, std::size_t begin) const noexcept;

  std::vector<Pattern> patterns_;           // sorted by text
  std::vector<Node> nodes_;                 // nodes_[0] is the root
  std::array<std::uint32_t, 256> roots_{};  // node of each first byte, 0 if none
};

}  // namespace nolens
