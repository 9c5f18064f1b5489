// What each token contributes to the output text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_data.h"

namespace nolens {

class TokenTexts {
 public:
  /// Applies the decoder's replacements to each token. \throws Error{kModel}
  explicit TokenTexts(const TokenizerData& data);

  /// The id must be known. A byte token is one raw byte.
  [[nodiscard]] std::string_view text(TokenId id) const noexcept {
    const Entry& entry = entries_[static_cast<std::size_t>(id)];
    return {arena_.data() + entry.offset, entry.length};
  }
  [[nodiscard]] bool is_byte(TokenId id) const noexcept {
    return entries_[static_cast<std::size_t>(id)].is_byte != 0;
  }

 private:
  struct Entry {
    std::uint32_t offset = 0;
    std::uint32_t length : 31 = 0;
    std::uint32_t is_byte : 1 = 0;
  };

  std::string arena_;
  std::vector<Entry> entries_;
};

}  // namespace nolens
