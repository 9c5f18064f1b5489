// A text in windows, and what models predict of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "nolens/model.h"

namespace nolens::cli {

inline constexpr std::int64_t kDefaultWindow = 512;

struct TextWindows {
  std::vector<std::vector<TokenId>> windows;
  std::int64_t tokens = 0;  ///< of the text, BOS included
};

/// BOS and the text in windows of `window` tokens without overlap, the first token of each replaced
/// by BOS; what is left at the end is left out. \throws Error{kInput} if the text has fewer tokens
/// than one window, Error{kUsage} if window < 4 or beyond the model's context
TextWindows text_windows(const Model& model, std::string_view text, std::int64_t window);

/// Tokens of each window that are predicted.
[[nodiscard]] constexpr std::int64_t predicted_of(std::int64_t window) noexcept {
  return window - window / 2 - 1;
}

/// A model that reads, and how it keeps keys and values meanwhile.
struct Reader {
  std::shared_ptr<const Model> model;
  KvCacheType kv_cache = KvCacheType::kAuto;
};

/// A token and the logits of every reader at the position before it, in the readers' order.
using OnPrediction =
    std::function<void(TokenId next, std::span<const std::span<const float>> logits)>;

/// All readers read `window`; tokens of its second half are predicted from everything before them:
/// those at window/2 + 1 and after. llama.cpp's program llama-perplexity counts the same tokens.
/// The vocabularies have one size. \throws Error{kInterrupted} and what Session::append_ids() does
void read_window(std::span<const Reader> readers, std::span<const TokenId> window,
                 const OnPrediction& on_prediction);

}  // namespace nolens::cli
