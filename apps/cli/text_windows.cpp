// Readers go side by side in short pieces, so that no more than a piece's logits are there at once.
#include "text_windows.h"

#include <algorithm>
#include <string>

#include "nolens/error.h"
#include "nolens/session.h"

#include "interrupt.h"

namespace nolens::cli {
namespace {

/// Logits kept of each reader: 64 MiB with a vocabulary of 262,144.
constexpr std::size_t kPieceRows = 64;

/// Appends `piece` and keeps its logits. [positions, vocabulary]
void read_piece(Session& session, std::span<const TokenId> piece, std::vector<float>& logits) {
  logits.clear();
  AppendOptions append;
  append.on_logits = [&](std::int64_t, std::span<const float> row) {
    logits.insert(logits.end(), row.begin(), row.end());
  };
  session.append_ids(piece, append);
}

}  // namespace

TextWindows text_windows(const Model& model, std::string_view text, std::int64_t window) {
  const std::int64_t most = model.config().text.max_position_embeddings;
  if (window < 4 || window > most) {
    throw Error(ErrorCode::kUsage, "window of " + std::to_string(window) +
                                       " tokens: expected 4 to " + std::to_string(most) +
                                       ", the model's limit");
  }
  const TokenId bos = model.config().tokens.bos;
  std::vector<TokenId> ids;
  if (bos >= 0) {
    ids.push_back(bos);
  }
  model.tokenizer().encode(text, ParseSpecial::kNo, ids);
  const auto size = static_cast<std::size_t>(window);
  if (ids.size() < size) {
    throw Error(ErrorCode::kInput, "the text has " + std::to_string(ids.size()) +
                                       " tokens, fewer than one window of " +
                                       std::to_string(window) +
                                       "; lower --ctx or take a longer text");
  }
  TextWindows result;
  result.tokens = static_cast<std::int64_t>(ids.size());
  for (std::size_t begin = 0; begin + size <= ids.size(); begin += size) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
    result.windows.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    if (bos >= 0) {
      result.windows.back().front() = bos;
    }
  }
  return result;
}

void read_window(std::span<const Reader> readers, std::span<const TokenId> window,
                 const OnPrediction& on_prediction) {
  const std::size_t half = window.size() / 2;
  std::vector<Session> sessions;
  for (const Reader& reader : readers) {
    SessionOptions options;
    options.context_length = static_cast<std::int64_t>(window.size());
    options.kv_cache = reader.kv_cache;
    sessions.emplace_back(reader.model, options).append_ids(window.first(half));
    check_signal();
  }
  std::vector<std::vector<float>> logits(readers.size());
  std::vector<std::span<const float>> rows(readers.size());
  // The last token is predicted, not read.
  for (std::size_t begin = half; begin + 1 < window.size(); begin += kPieceRows) {
    const std::size_t count = std::min(kPieceRows, window.size() - 1 - begin);
    for (std::size_t r = 0; r < readers.size(); ++r) {
      read_piece(sessions[r], window.subspan(begin, count), logits[r]);
      check_signal();
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t r = 0; r < readers.size(); ++r) {
        const std::size_t vocabulary = logits[r].size() / count;
        rows[r] = std::span<const float>(logits[r]).subspan(i * vocabulary, vocabulary);
      }
      on_prediction(window[begin + i + 1], rows);
    }
  }
}

}  // namespace nolens::cli
