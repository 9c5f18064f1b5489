// Looking up, keeping and dropping contexts.
#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

namespace nolens {

std::optional<Context> PrefixCache::take(std::uint64_t owner, const TokenSequence& sequence) {
  auto best = entries_.end();
  std::int64_t shared = kLeastTokens - 1;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->owner != owner) {
      continue;
    }
    const std::int64_t keep = entry->context.reusable_prefix(sequence);
    if (keep > shared && entry->context.can_truncate(keep)) {
      shared = keep;
      best = entry;
    }
  }
  if (best == entries_.end()) {
    return std::nullopt;
  }
  if (best->context.length() - shared <= kSpareTokens || bytes_ + best->context.kv_bytes() > most_bytes_) {
    Context context = std::move(best->context);
    bytes_ -= context.kv_bytes();
    entries_.erase(best);
    return context;
  }
  entries_.splice(entries_.end(), entries_, best);
  return best->context.clone();
}

std::int64_t PrefixCache::longest_shared(std::uint64_t owner, const TokenSequence& sequence) const {
  std::int64_t longest = 0;
  for (const Entry& entry : entries_) {
    if (entry.owner == owner) {
      longest = std::max(longest, entry.context.reusable_prefix(sequence));
    }
  }
  return longest;
}

void PrefixCache::put(std::uint64_t owner, Context context) {
  const std::int64_t bytes = context.kv_bytes();
  if (bytes > most_bytes_) {
    return;
  }
  evict_until(most_bytes_ - bytes);
  entries_.push_back({owner, std::move(context)});
  bytes_ += bytes;
}

void PrefixCache::clear() { evict_until(0); }

void PrefixCache::evict_until(std::int64_t bytes) {
  while (bytes_ > bytes) {
    bytes_ -= entries_.front().context.kv_bytes();
    entries_.pop_front();
    ++evictions_;
  }
}

}  // namespace nolens
