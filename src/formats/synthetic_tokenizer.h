// A tokenizer for models with random weights: every byte has a token, nothing is merged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nolens/config.h"

namespace nolens {

/// Smallest vocabulary the tokenizer fits in; the last seven ids are for pictures and sound.
inline constexpr std::int64_t kMinSyntheticVocab = 640;

/// tokenizer.json in Hugging Face's format. Special tokens have the names and ids of the published
/// tokenizer where `tokens` does not say otherwise; bytes are <0x00> at 238 to <0xFF> at 493; then
/// come the printable ASCII characters; every other id is <unusedN>, N the id.
/// \throws Error{kUsage} if two special tokens have one id.
std::string synthetic_tokenizer_json(const SpecialTokens& tokens, std::int64_t vocab_size);

struct SyntheticToken {
  enum class Kind : std::uint8_t { kText, kControl, kByte };
  std::string text;
  Kind kind = Kind::kText;
};

/// The same vocabulary as a list, index = id. \throws Error{kUsage} if two special tokens have one id.
std::vector<SyntheticToken> synthetic_tokens(const SpecialTokens& tokens, std::int64_t vocab_size);

/// tokenizer_config.json: the names transformers asks for.
std::string synthetic_tokenizer_config_json();

}  // namespace nolens
