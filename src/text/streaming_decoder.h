// Token ids -> pieces of complete UTF-8.
#pragma once

#include <string>

#include "nolens/tokenizer.h"

namespace nolens {

/// Joins pieces and holds back a run of byte tokens until it ends: whether its bytes are characters
/// or U+FFFD is decided by the run as a whole, see Tokenizer::decode.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  /// Text that became complete with this token, possibly empty, always valid UTF-8. All pushes plus
  /// finish() joined equal Tokenizer::decode.
  std::string push(TokenId id);
  /// What a last run of byte tokens stands for. The decoder can then be used again.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;  // bytes of the current run
};

}  // namespace nolens
