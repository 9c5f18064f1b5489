// Tables of runs, and the copy of what followed.
#include "engine/prompt_lookup.h"

#include <algorithm>
#include <bit>

namespace nolens {

namespace {

constexpr std::uint64_t kFewestSlots = 1U << 10U;
constexpr std::uint64_t kMostSlots = 1U << 18U;  // 1 MiB a table

}  // namespace

PromptLookup::PromptLookup(std::int64_t context_length) {
  const auto wanted = std::bit_ceil(2 * static_cast<std::uint64_t>(context_length));
  const std::uint64_t slots = std::clamp(wanted, kFewestSlots, kMostSlots);
  mask_ = slots - 1;
  for (std::vector<std::uint32_t>& table : next_) {
    table.resize(slots);
  }
}

std::int64_t PromptLookup::bytes() const noexcept {
  return static_cast<std::int64_t>(next_.size() * (mask_ + 1) * sizeof(std::uint32_t));
}

std::size_t PromptLookup::slot(std::span<const TokenId> run) const noexcept {
  std::uint64_t hash = 0;
  for (const TokenId id : run) {
    // The multiplier of Knuth's multiplicative hashing for 64 bits: 2^64 divided by the golden
    // ratio.
    hash = (hash ^ static_cast<std::uint64_t>(id)) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 32U;
  }
  return static_cast<std::size_t>(hash & mask_);
}

void PromptLookup::index(std::span<const TokenId> ids) {
  const auto size = static_cast<std::int64_t>(ids.size());
  for (std::int64_t next = std::max<std::int64_t>(indexed_, 1); next < size; ++next) {
    for (std::size_t i = 0; i < kRunLengths.size(); ++i) {
      const std::int64_t begin = next - kRunLengths[i];
      if (begin >= 0) {
        next_[i][slot(ids.subspan(static_cast<std::size_t>(begin),
                                  static_cast<std::size_t>(kRunLengths[i])))] =
            static_cast<std::uint32_t>(next);
      }
    }
  }
  indexed_ = std::max(indexed_, size);
}

void PromptLookup::propose(Context& context, std::int64_t most, std::vector<TokenId>& draft) {
  propose(context.ids(), most, draft);
}

void PromptLookup::propose(std::span<const TokenId> ids, std::int64_t most,
                           std::vector<TokenId>& draft) {
  index(ids);
  for (std::size_t i = 0; i < kRunLengths.size(); ++i) {
    const auto length = static_cast<std::size_t>(kRunLengths[i]);
    if (ids.size() <= length) {
      continue;
    }
    const std::span<const TokenId> run = ids.last(length);
    const std::size_t next = next_[i][slot(run)];
    if (next == 0 || !std::ranges::equal(run, ids.subspan(next - length, length))) {
      continue;
    }
    const std::size_t begin = draft.size();
    for (std::size_t k = 0; k < static_cast<std::size_t>(most); ++k) {
      const std::size_t from = next + k;
      draft.push_back(from < ids.size() ? ids[from] : draft[begin + from - ids.size()]);
    }
    return;
  }
}

}  // namespace nolens
