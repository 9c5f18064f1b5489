// Contexts of answered requests, kept for prompts that begin alike.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "engine/context.h"

namespace nolens {

/// Least recently used first out. Never gives one owner what another one's request computed.
class PrefixCache {
 public:
  /// `most_bytes` of keys and values; 0 = nothing is kept.
  explicit PrefixCache(std::int64_t most_bytes) : most_bytes_(most_bytes) {}

  /// The context that shares the longest beginning with `sequence` and can keep it, if that saves at least
  /// kLeastTokens. It is taken out if the sequence continues it, and copied if it goes another way earlier
  /// than kSpareTokens before its end: a conversation goes on where it ended, a shared beginning stays.
  /// The caller continues with Context::replace_by().
  std::optional<Context> take(std::uint64_t owner, const TokenSequence& sequence);
  /// Longest beginning that a kept context of `owner` shares with `sequence`, whether it can keep it or not.
  [[nodiscard]] std::int64_t longest_shared(std::uint64_t owner, const TokenSequence& sequence) const;
  /// Keeps a context whose step is over, if it fits.
  void put(std::uint64_t owner, Context context);
  /// Frees everything: another context needs the memory.
  void clear();

  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::int64_t entries() const noexcept { return static_cast<std::int64_t>(entries_.size()); }
  [[nodiscard]] std::int64_t evictions() const noexcept { return evictions_; }

  static constexpr std::int64_t kLeastTokens = 16;
  static constexpr std::int64_t kSpareTokens = 64;

 private:
  struct Entry {
    std::uint64_t owner;
    Context context;
  };
  void evict_until(std::int64_t bytes);

  std::int64_t most_bytes_;
  std::int64_t bytes_ = 0;
  std::int64_t evictions_ = 0;
  std::list<Entry> entries_;  ///< least recently used first
};

}  // namespace nolens
