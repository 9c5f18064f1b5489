// Fingerprints: a template is known by the pieces of text it must contain.
#include "prompt/template_family.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace nolens {
namespace {

// Every piece of text render_chat() writes. A line break inside a string of the Jinja source is \n.
constexpr std::string_view kRequired[] = {
    "<|turn>",       "<turn|>\\n",       "<|think|>\\n",     "<|channel>thought\\n",
    "\\n<channel|>", "<|tool>",          "<tool|>",          "<|tool_call>",
    "<tool_call|>",  "<|tool_response>", "<tool_response|>", "<|\"|>",
    "declaration:",  "response:",        "dictsort",         "<|image|>",
    "<|audio|>",     "<|video|>",
};
// The first preview set pictures apart with empty lines.
constexpr std::string_view kPreview = "\\n<|image|>";

constexpr std::string_view kEmptyThought = "<|channel>thought\\n<channel|>";

// Every rule render_gemma3_chat() follows, in the words of the published template.
constexpr std::string_view kGemma3Required[] = {
    "<start_of_turn>",
    "<end_of_turn>",
    "messages[0]['role'] == 'system'",
    "first_user_prefix if loop.first",
    "Conversation roles must alternate",
    "= \"model\"",
    "message['content'] | trim",
    "item['text'] | trim",
};
// What stands between the system text and the first user text; files hold line breaks or \n.
constexpr std::string_view kGemma3Separators[] = {"['content'] + '\n\n'", "['content'] + '\\n\\n'"};

bool contains(std::string_view text, std::string_view piece) noexcept {
  return text.find(piece) != std::string_view::npos;
}

template <std::size_t N>
bool contains_all(std::string_view text, const std::string_view (&pieces)[N]) noexcept {
  return std::all_of(std::begin(pieces), std::end(pieces),
                     [&](std::string_view piece) { return contains(text, piece); });
}

}  // namespace

TemplateFamily chat_template_family(std::string_view template_text) noexcept {
  if (contains_all(template_text, kGemma3Required) &&
      std::any_of(std::begin(kGemma3Separators), std::end(kGemma3Separators),
                  [&](std::string_view piece) { return contains(template_text, piece); })) {
    return TemplateFamily::kGemma3;
  }
  if (!contains_all(template_text, kRequired) || contains(template_text, kPreview)) {
    return TemplateFamily::kUnknown;
  }
  return contains(template_text, kEmptyThought) ? TemplateFamily::kGemma4
                                                : TemplateFamily::kGemma4NoEmptyThought;
}

}  // namespace nolens
