// Fills the table, and checks that every merge is one of tokens into a token.
#include "text/merge_table.h"

#include <algorithm>
#include <bit>
#include <string>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens {
namespace {

[[noreturn]] void fail(const TokenizerData& data, std::size_t rank, std::string_view token) {
  throw Error(ErrorCode::kModel, data.name + ": merge " + std::to_string(rank) + " ('" +
                                     escape_for_message(data.merges[rank].first) + "', '" +
                                     escape_for_message(data.merges[rank].second) +
                                     "') needs the token '" + escape_for_message(token) +
                                     "', which is not in the vocabulary");
}

}  // namespace

MergeTable::MergeTable(const TokenizerData& data, const Vocabulary& vocabulary) {
  const std::size_t count = data.merges.size();
  if (count > static_cast<std::size_t>(kMaxMerges)) {
    throw Error(ErrorCode::kModel, data.name + ": expected at most " + std::to_string(kMaxMerges) +
                                       " merges, found " + std::to_string(count));
  }
  slots_.resize(std::bit_ceil(count + count / 2 + 1));
  // 16 bits a merge: a pair that does not merge passes with a probability of 3 to 6 %.
  const std::size_t filter_bits = std::bit_ceil(std::max<std::size_t>(64, count * 16));
  filter_.resize(filter_bits / 64);
  filter_shift_ = 64U - static_cast<unsigned>(std::countr_zero(filter_bits));
  std::string joined;
  for (std::size_t rank = 0; rank < count; ++rank) {
    const auto& [left, right] = data.merges[rank];
    const TokenId left_id = vocabulary.find(left);
    if (left_id < 0) {
      fail(data, rank, left);
    }
    const TokenId right_id = vocabulary.find(right);
    if (right_id < 0) {
      fail(data, rank, right);
    }
    joined.assign(left);
    joined += right;
    const TokenId merged_id = vocabulary.find(joined);
    if (merged_id < 0) {
      fail(data, rank, joined);
    }
    if (vocabulary.is_plain(left_id) && vocabulary.is_plain(right_id) &&
        vocabulary.is_plain(merged_id)) {
      insert(left_id, right_id, {static_cast<std::uint32_t>(rank), merged_id});
    }
  }
}

void MergeTable::insert(TokenId left, TokenId right, Merge merge) noexcept {
  const auto a = static_cast<std::uint32_t>(left);
  const auto b = static_cast<std::uint32_t>(right);
  const std::uint64_t hash = hash_pair(a, b);
  const std::uint64_t bit = hash >> filter_shift_;
  filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot].merge.rank != kNoMerge &&
         (slots_[slot].left != a || slots_[slot].right != b)) {
    slot = (slot + 1) & mask;
  }
  // A pair listed twice has the later rank, as in Hugging Face's loader.
  slots_[slot] = {a, b, merge};
}

}  // namespace nolens
