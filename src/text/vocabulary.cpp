// Checks the texts and puts them into the arena and the hash.
#include "text/vocabulary.h"

#include <algorithm>
#include <bit>

#include "nolens/error.h"

#include "core/escape.h"
#include "text/hash.h"
#include "text/utf8.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxArenaBytes = (1U << 30U) - 1;  // Entry::length has 30 bits

[[noreturn]] void fail(const TokenizerData& data, std::size_t id, const std::string& what) {
  throw Error(ErrorCode::kModel, data.name + ": token " + std::to_string(id) + " '" +
                                     escape_for_message(data.tokens[id].text) + "' " + what);
}

}  // namespace

Vocabulary::Vocabulary(const TokenizerData& data) {
  const std::size_t count = data.tokens.size();
  if (count > static_cast<std::size_t>(kMaxTokens)) {
    throw Error(ErrorCode::kModel, data.name + ": expected at most " + std::to_string(kMaxTokens) +
                                       " tokens, found " + std::to_string(count));
  }
  std::size_t bytes = 0;
  for (std::size_t id = 0; id < count; ++id) {
    const std::string_view text = data.tokens[id].text;
    if (text.empty()) {
      fail(data, id, "is empty");
    }
    if (text.size() > kMaxArenaBytes - bytes) {
      fail(data, id, "makes the vocabulary larger than 1 GiB");
    }
    if (!is_valid_utf8(text)) {
      fail(data, id, "is not valid UTF-8");
    }
    bytes += text.size();
  }
  arena_.reserve(bytes);
  entries_.reserve(count);
  slots_.resize(std::bit_ceil(count + count / 2 + 1));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t id = 0; id < count; ++id) {
    const TokenizerData::Token& token = data.tokens[id];
    const std::string_view text = token.text;
    const std::uint64_t hash = hash_text(text);
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t slot = hash & mask;
    for (; slots_[slot].id >= 0; slot = (slot + 1) & mask) {
      if (slots_[slot].tag == tag && this->text(slots_[slot].id) == text) {
        fail(data, id, "is also token " + std::to_string(slots_[slot].id));
      }
    }
    slots_[slot] = {tag, static_cast<TokenId>(id)};
    entries_.push_back({static_cast<std::uint32_t>(arena_.size()),
                        static_cast<std::uint32_t>(text.size()) & 0x3FFFFFFFU,
                        token.special ? 1U : 0U, token.in_model && !token.special ? 1U : 0U});
    arena_ += text;
    max_token_bytes_ = std::max(max_token_bytes_, text.size());
  }
}

TokenId Vocabulary::find(std::string_view text) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t hash = hash_text(text);
  const auto tag = static_cast<std::uint32_t>(hash >> 32U);
  for (std::size_t slot = hash & mask; slots_[slot].id >= 0; slot = (slot + 1) & mask) {
    if (slots_[slot].tag == tag && this->text(slots_[slot].id) == text) {
      return slots_[slot].id;
    }
  }
  return -1;
}

}  // namespace nolens
