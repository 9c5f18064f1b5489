// Byte-pair encoding of plain text: no special tokens, no normalizer.
//
// Starts from characters and applies the merge of lowest rank, leftmost first, until none is left
// (Sennrich et al. 2016, as Hugging Face's `BPE` does it). The text is first cut where no merge can
// reach across, which in ordinary text is between words, so that the work is per word.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "text/char_tables.h"
#include "text/merge_table.h"
#include "text/tokenizer_data.h"
#include "text/vocabulary.h"

namespace nolens {

/// Working memory of one encode() call, reused from word to word.
struct BpeScratch {
  struct Symbol {
    TokenId id = -1;
    std::uint32_t previous = 0, next = 0;
    Merge merge;  // with the next symbol
  };
  std::vector<TokenId> ids;
  std::vector<Merge> merges;         // of ids[i] and ids[i + 1]
  std::vector<Symbol> symbols;       // long words: a doubly linked list
  std::vector<std::uint64_t> queue;  // long words: a heap of rank << 32 | symbol
};

class Bpe {
 public:
  /// `vocabulary` must outlive the object. \throws Error{kModel}
  Bpe(const TokenizerData& data, const Vocabulary& vocabulary);

  /// Appends the ids of `text`. Bytes that are no UTF-8 become byte tokens or the unknown token.
  /// Of special ids, appends none but the unknown token's and byte tokens'. Thread-safe.
  void encode(std::string_view text, std::vector<TokenId>& ids, BpeScratch& scratch) const;

 private:
  /// Whether a token's text encodes to the token itself. Found out when first asked.
  enum class Whole : std::uint8_t { kNotTried, kYes, kNo };

  void encode_word(std::string_view word, std::vector<TokenId>& ids, BpeScratch& scratch) const;
  void append_symbols(std::string_view word, std::vector<TokenId>& symbols) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;
  [[nodiscard]] bool may_cut(char32_t a, char32_t b) const noexcept;

  const Vocabulary* vocabulary_;
  MergeTable merges_;
  CharTokens char_tokens_;
  Junctions junctions_;
  std::array<TokenId, 256> byte_tokens_{};  // -1: no such token
  std::unique_ptr<std::atomic<Whole>[]> whole_;
  TokenId unknown_ = -1;
  bool all_bytes_ = true;  // every byte has a token
  bool cuttable_ = true;   // merges only join what characters became
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace nolens
