#include "prompt/template_family.h"

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

}  // namespace

TemplateFamily chat_template_family(std::string_view template_text) noexcept {
  for (const std::string_view piece : kRequired) {
    if (template_text.find(piece) == std::string_view::npos) {
      return TemplateFamily::kUnknown;
    }
  }
  if (template_text.find(kPreview) != std::string_view::npos) {
    return TemplateFamily::kUnknown;
  }
  return template_text.find(kEmptyThought) != std::string_view::npos
             ? TemplateFamily::kGemma4
             : TemplateFamily::kGemma4NoEmptyThought;
}

}  // namespace nolens
