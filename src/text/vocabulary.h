// Token texts in one arena, and an open-addressing hash from text to id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_data.h"

namespace nolens {

class Vocabulary {
 public:
  /// \throws Error{kModel} for an empty, repeated or not UTF-8 text, or too many tokens.
  explicit Vocabulary(const TokenizerData& data);

  [[nodiscard]] std::int64_t size() const noexcept {
    return static_cast<std::int64_t>(entries_.size());
  }
  [[nodiscard]] bool contains(TokenId id) const noexcept { return id >= 0 && id < size(); }
  /// The id must be in the vocabulary.
  [[nodiscard]] std::string_view text(TokenId id) const noexcept {
    const Entry& entry = entries_[static_cast<std::size_t>(id)];
    return {arena_.data() + entry.offset, entry.length};
  }
  [[nodiscard]] bool is_special(TokenId id) const noexcept {
    return entries_[static_cast<std::size_t>(id)].special;
  }
  /// Whether plain text may become this token: it is in the model and not special.
  [[nodiscard]] bool is_plain(TokenId id) const noexcept {
    return entries_[static_cast<std::size_t>(id)].plain;
  }
  /// -1 if there is no such token.
  [[nodiscard]] TokenId find(std::string_view text) const noexcept;
  [[nodiscard]] std::size_t max_token_bytes() const noexcept { return max_token_bytes_; }

 private:
  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t length : 30 = 0;
    std::uint32_t special : 1 = 0;
    std::uint32_t plain : 1 = 0;
  };
  struct Slot {
    std::uint32_t tag = 0;  // high half of the hash: spares most looks into the arena
    TokenId id = -1;
  };

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;  // power of two, linear probing
  std::size_t max_token_bytes_ = 0;
};

}  // namespace nolens
