// UTF-8 text <-> token ids.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nolens/config.h"

namespace nolens {

struct TokenizerData;  // src/text/tokenizer_data.h

enum class ParseSpecial : bool { kNo, kYes };

/// A byte-pair-encoding tokenizer. Immutable; may be shared between threads.
class Tokenizer {
 public:
  /// Reads a Hugging Face tokenizer.json. \throws Error{kModel}
  static Tokenizer load(const std::filesystem::path& file);
  /// Builds the tables from plain data, which may be dropped afterwards. \throws Error{kModel}
  static Tokenizer from_data(const TokenizerData& data);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Appends the ids of `text` to `ids`. With kNo, strings that look like special tokens are plain
  /// text: nothing a user types becomes a control token. Invalid UTF-8 bytes become byte tokens.
  void encode(std::string_view text, ParseSpecial parse_special, std::vector<TokenId>& ids) const;
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text,
                                            ParseSpecial parse_special = ParseSpecial::kNo) const;

  /// Text of a whole sequence. A run of byte tokens is fused; if it is not valid UTF-8 as a whole,
  /// each byte of the run becomes U+FFFD (as Hugging Face's ByteFallback). Unknown ids are skipped.
  [[nodiscard]] std::string decode(const std::vector<TokenId>& ids, bool skip_special = false) const;

  /// Bytes of one token as they stand in the output: "▁" is a space, byte tokens are one raw byte,
  /// so a single piece need not be valid UTF-8. Empty for ids the tokenizer does not know.
  [[nodiscard]] std::string_view piece(TokenId id) const noexcept;

  /// Id of an exact vocabulary entry or added token, -1 if there is none.
  [[nodiscard]] TokenId find(std::string_view token) const noexcept;
  [[nodiscard]] bool is_special(TokenId id) const noexcept;
  /// Whether the token stands for one raw byte.
  [[nodiscard]] bool is_byte(TokenId id) const noexcept;
  /// One more than the largest id, added tokens included; may exceed the model's vocab_size.
  [[nodiscard]] std::int64_t size() const noexcept;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
