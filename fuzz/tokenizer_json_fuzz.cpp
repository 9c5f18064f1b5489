// A tokenizer.json, then the text after the first NUL byte. What is accepted must encode any text
// to known ids, stream what it decodes, and keep special ids out of plain text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "nolens/error.h"
#include "nolens/tokenizer.h"

#include "text/streaming_decoder.h"
#include "text/tokenizer_data.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void check(const nolens::Tokenizer& tokenizer, nolens::TokenId unknown, std::string_view text) {
  for (const auto parse_special : {nolens::ParseSpecial::kNo, nolens::ParseSpecial::kYes}) {
    const std::vector<nolens::TokenId> ids = tokenizer.encode(text, parse_special);
    nolens::StreamingDecoder decoder(tokenizer);
    std::string streamed;
    for (const nolens::TokenId id : ids) {
      require(id >= 0 && id < tokenizer.size());
      require(parse_special == nolens::ParseSpecial::kYes || !tokenizer.is_special(id) ||
              tokenizer.is_byte(id) || id == unknown);
      streamed += decoder.push(id);
      require(nolens::is_valid_utf8(streamed));
    }
    streamed += decoder.finish();
    require(streamed == tokenizer.decode(ids));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\0');
  const std::string_view json = input.substr(0, end);
  const std::string_view text = end == std::string_view::npos
                                    ? std::string_view("<bos>ab  a\n\xC3\xA9\xFF<table>")
                                    : input.substr(end + 1);
  try {
    const nolens::TokenizerData parsed = nolens::parse_tokenizer_json(json, "fuzz.json");
    check(nolens::Tokenizer::from_data(parsed), parsed.unknown, text);
  } catch (const nolens::Error&) {  // the only way to refuse a file
  }
  return 0;
}
