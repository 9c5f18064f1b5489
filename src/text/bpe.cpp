// Two ways to merge a word: short ones by looking, long ones with a heap in O(n log n).
#include "text/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "text/utf8.h"

namespace nolens {
namespace {

// Up to this many symbols, looking through all of them for the best merge beats a heap.
constexpr std::size_t kShortWord = 40;
constexpr std::uint32_t kNoSymbol = std::numeric_limits<std::uint32_t>::max();

TokenId find_byte_token(const Vocabulary& vocabulary, unsigned byte) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const char text[] = {'<', '0', 'x', kHex[byte >> 4U], kHex[byte & 15U], '>'};
  return vocabulary.find({text, sizeof(text)});
}

}  // namespace

Bpe::Bpe(const TokenizerData& data, const Vocabulary& vocabulary)
    : vocabulary_(&vocabulary),
      merges_(data, vocabulary),
      char_tokens_(vocabulary),
      junctions_(data),
      whole_(std::make_unique<std::atomic<Whole>[]>(data.tokens.size())),
      unknown_(data.unknown),
      fuse_unknown_(data.fuse_unknown),
      ignore_merges_(data.ignore_merges) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_tokens_[byte] = data.byte_fallback ? find_byte_token(vocabulary, byte) : -1;
    all_bytes_ = all_bytes_ && byte_tokens_[byte] >= 0;
  }
  // Without any token for a character its neighbours come together, and may merge.
  cuttable_ = all_bytes_ || unknown_ >= 0;
  // The argument of Junctions holds for characters; a merge of byte tokens would escape it.
  const auto is_fallback = [&](std::string_view text) {
    const TokenId id = vocabulary.find(text);
    return id == unknown_ ||
           std::find(byte_tokens_.begin(), byte_tokens_.end(), id) != byte_tokens_.end();
  };
  for (const auto& [left, right] : data.merges) {
    const bool looks_like_one = left.front() == '<' || right.front() == '<';
    if (looks_like_one && (is_fallback(left) || is_fallback(right))) {
      cuttable_ = false;
      break;
    }
  }
}

bool Bpe::may_cut(char32_t a, char32_t b) const noexcept {
  if (junctions_.may_join(a, b)) {
    return false;
  }
  // Neighbours that both become the unknown token may have to be fused.
  return all_bytes_ || char_tokens_.find(a) >= 0 || char_tokens_.find(b) >= 0;
}

void Bpe::encode(std::string_view text, std::vector<TokenId>& ids, BpeScratch& scratch) const {
  if (text.empty()) {
    return;
  }
  if (ignore_merges_) {
    const TokenId id = vocabulary_->find(text);
    if (id >= 0 && vocabulary_->is_plain(id)) {
      ids.push_back(id);
      return;
    }
  }
  if (!cuttable_) {
    encode_word(text, ids, scratch);
    return;
  }
  std::size_t begin = 0;
  DecodedChar previous = decode_char(text, 0);
  for (std::size_t end = previous.length; end < text.size();) {
    const DecodedChar next = decode_char(text, end);
    if (may_cut(previous.code_point, next.code_point)) {
      encode_word(text.substr(begin, end - begin), ids, scratch);
      begin = end;
    }
    end += next.length;
    previous = next;
  }
  encode_word(text.substr(begin), ids, scratch);
}

void Bpe::encode_word(std::string_view word, std::vector<TokenId>& ids, BpeScratch& scratch) const {
  // Most words of ordinary text are one token.
  TokenId whole = -1;
  if (word.size() <= vocabulary_->max_token_bytes()) {
    whole = vocabulary_->find(word);
    if (whole >= 0) {
      const Whole known = whole_[static_cast<std::size_t>(whole)].load(std::memory_order_relaxed);
      if (known == Whole::kYes) {
        ids.push_back(whole);
        return;
      }
      whole = known == Whole::kNotTried ? whole : -1;
    }
  }
  scratch.ids.clear();
  append_symbols(word, scratch.ids);
  if (scratch.ids.size() > kShortWord) {
    merge_long(scratch);
  } else if (scratch.ids.size() > 1) {
    merge_short(scratch);
  }
  if (whole >= 0) {
    const bool same = scratch.ids.size() == 1 && scratch.ids[0] == whole;
    // Every thread finds the same answer, so the order of the stores does not matter.
    whole_[static_cast<std::size_t>(whole)].store(same ? Whole::kYes : Whole::kNo,
                                                  std::memory_order_relaxed);
  }
  ids.insert(ids.end(), scratch.ids.begin(), scratch.ids.end());
}

void Bpe::append_symbols(std::string_view word, std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  for (std::size_t offset = 0; offset < word.size();) {
    const DecodedChar decoded = decode_char(word, offset);
    const std::string_view bytes = word.substr(offset, decoded.length);
    offset += decoded.length;
    const TokenId id = char_tokens_.find(decoded.code_point);
    if (id >= 0) {
      symbols.push_back(id);
      after_unknown = false;
      continue;
    }
    const auto token_of = [this](char byte) {
      return byte_tokens_[static_cast<unsigned char>(byte)];
    };
    if (std::all_of(bytes.begin(), bytes.end(), [&](char byte) { return token_of(byte) >= 0; })) {
      for (const char byte : bytes) {
        symbols.push_back(token_of(byte));
      }
      after_unknown = false;
    } else if (unknown_ >= 0 && !(after_unknown && fuse_unknown_)) {
      symbols.push_back(unknown_);
      after_unknown = true;
    }
  }
}

void Bpe::merge_short(BpeScratch& scratch) const {
  std::vector<TokenId>& ids = scratch.ids;
  std::vector<Merge>& merges = scratch.merges;
  merges.resize(ids.size() - 1);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    merges[i] = merges_.find(ids[i], ids[i + 1]);
  }
  while (!merges.empty()) {
    const auto best = std::min_element(merges.begin(), merges.end(),
                                       [](Merge a, Merge b) { return a.rank < b.rank; });
    if (best->rank == kNoMerge) {
      return;
    }
    const std::ptrdiff_t at = best - merges.begin();
    ids[static_cast<std::size_t>(at)] = best->id;
    ids.erase(ids.begin() + at + 1);
    merges.erase(best);
    const auto left = static_cast<std::size_t>(at);
    if (left > 0) {
      merges[left - 1] = merges_.find(ids[left - 1], ids[left]);
    }
    if (left < merges.size()) {
      merges[left] = merges_.find(ids[left], ids[left + 1]);
    }
  }
}

void Bpe::merge_long(BpeScratch& scratch) const {
  std::vector<TokenId>& ids = scratch.ids;
  auto& symbols = scratch.symbols;
  auto& queue = scratch.queue;
  const auto later = std::greater<>{};
  queue.clear();
  symbols.resize(ids.size());
  const auto count = static_cast<std::uint32_t>(ids.size());
  const auto entry = [&](std::uint32_t at) {
    return static_cast<std::uint64_t>(symbols[at].merge.rank) << 32U | at;
  };
  for (std::uint32_t at = 0; at < count; ++at) {
    const bool last = at + 1 == count;
    symbols[at] = {ids[at], at == 0 ? kNoSymbol : at - 1, last ? kNoSymbol : at + 1,
                   last ? Merge{} : merges_.find(ids[at], ids[at + 1])};
    if (symbols[at].merge.rank != kNoMerge) {
      queue.push_back(entry(at));
    }
  }
  std::make_heap(queue.begin(), queue.end(), later);
  const auto refresh = [&](std::uint32_t at) {
    const std::uint32_t next = symbols[at].next;
    symbols[at].merge =
        next == kNoSymbol ? Merge{} : merges_.find(symbols[at].id, symbols[next].id);
    if (symbols[at].merge.rank != kNoMerge) {
      queue.push_back(entry(at));
      std::push_heap(queue.begin(), queue.end(), later);
    }
  };
  while (!queue.empty()) {
    const std::uint64_t best = queue.front();
    std::pop_heap(queue.begin(), queue.end(), later);
    queue.pop_back();
    const auto at = static_cast<std::uint32_t>(best & 0xFFFFFFFFU);
    // A rank names one pair, so an entry is current exactly if the symbol still has that rank.
    if (symbols[at].merge.rank != best >> 32U) {
      continue;
    }
    const std::uint32_t gone = symbols[at].next;
    symbols[at].id = symbols[at].merge.id;
    symbols[at].next = symbols[gone].next;
    symbols[gone].merge = {};
    if (symbols[at].next != kNoSymbol) {
      symbols[symbols[at].next].previous = at;
    }
    refresh(at);
    if (symbols[at].previous != kNoSymbol) {
      refresh(symbols[at].previous);
    }
  }
  ids.clear();
  for (std::uint32_t at = 0; at != kNoSymbol; at = symbols[at].next) {
    ids.push_back(symbols[at].id);
  }
}

}  // namespace nolens
