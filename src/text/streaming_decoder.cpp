// The same rules as Tokenizer::decode, one token at a time.
#include "text/streaming_decoder.h"

#include "text/utf8.h"

namespace nolens {

std::string StreamingDecoder::push(TokenId id) {
  const std::string_view piece = tokenizer_->piece(id);
  if (tokenizer_->is_byte(id)) {
    pending_ += piece;
    return {};
  }
  if (id < 0 || id >= tokenizer_->size()) {
    return {};
  }
  std::string text = finish();
  text += piece;
  return text;
}

std::string StreamingDecoder::finish() {
  std::string text;
  append_byte_run(pending_, text);
  pending_.clear();
  return text;
}

}  // namespace nolens
