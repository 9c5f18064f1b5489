// Merges of a SentencePiece vocabulary: GGUF files of type "llama" hold a score for each token and
// no list of merges.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nolens {

struct ScoredToken {
  /// As the text looks after the normalizer: "▁" for a space, also in user-defined tokens, which
  /// GGUF files hold with spaces. Empty = the token takes part in no merge.
  std::string_view text;
  /// Best = largest. 0 for every token that is not an ordinary piece (control, user-defined,
  /// unused, byte), as SentencePiece itself has it; the -1000 of GGUF files is no score.
  float score = 0.0F;
};

/// Every way to write a token as two other tokens, best first, in the order of Hugging Face's
/// conversion from SentencePiece: by score of the result, then by length of the left and of the
/// right part in characters, all falling, then by id of the result. This equals the "merges" of the
/// published Gemma 3 tokenizer.json. The views are parts of the texts in `tokens`.
/// \param name  begins an error message
/// \throws Error{kModel} if a score is not a number or there are more than kMaxMerges merges
std::vector<std::pair<std::string_view, std::string_view>> merges_from_scores(
    std::span<const ScoredToken> tokens, const std::string& name);

}  // namespace nolens
