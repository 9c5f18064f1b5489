// A messages document to a prompt, and the same bytes as model output: only Error may come out.
//
// Files cannot be named (no base directory) and pictures are small, so memory stays bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "nolens/chat.h"
#include "nolens/error.h"

namespace {

void check(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void render(std::string_view text) {
  nolens::MediaOptions media;
  media.image.max_pixels = 1'000'000;
  media.image.max_images = 4;
  media.program = "/nonexistent";  // sound and clips would need a process: refused here
  try {
    const auto messages = nolens::parse_messages(text, {}, media);
    for (const bool thinking : {false, true}) {
      nolens::ChatOptions options;
      options.enable_thinking = thinking;
      options.preserve_thinking = thinking;
      const nolens::Prompt prompt = nolens::render_chat(messages, options);
      check(nolens::prompt_text(prompt).starts_with("<bos>"));
      // Neighbouring texts are one, so that the tokenizer sees them whole.
      for (std::size_t i = 1; i < prompt.size(); ++i) {
        check(!std::holds_alternative<nolens::PromptText>(prompt[i - 1]) ||
              !std::holds_alternative<nolens::PromptText>(prompt[i]));
      }
    }
  } catch (const nolens::Error& error) {
    check(error.code() != nolens::ErrorCode::kInternal);
  }
}

/// The bytes as a tool declaration.
void declare(std::string_view text) {
  nolens::ChatOptions options;
  options.tools = text;
  try {
    nolens::render_chat({}, options);
  } catch (const nolens::Error& error) {
    check(error.code() == nolens::ErrorCode::kInput);
  }
}

/// Cut anywhere, the result is that of the whole.
void parse_in_two(std::string_view text) {
  const nolens::ParsedOutput whole = nolens::parse_output(text);
  const std::size_t cut = text.empty() ? 0 : static_cast<unsigned char>(text[0]) % text.size();
  nolens::OutputParser parser;
  const auto first = parser.push(text.substr(0, cut));
  const auto second = parser.push(text.substr(cut));
  const auto last = parser.finish();
  check(first.text + second.text + last.text == whole.text);
  check(first.reasoning + second.reasoning + last.reasoning == whole.reasoning);
  check(first.tool_calls.size() + second.tool_calls.size() + last.tool_calls.size() ==
        whole.tool_calls.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // libFuzzer hands out bytes; the parsers take characters.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  render(text);
  declare(text);
  parse_in_two(text);
  return 0;
}
