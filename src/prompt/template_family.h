// Which chat template a model came with, told by features of its text.
#pragma once

#include <cstdint>
#include <string_view>

namespace nolens {

enum class TemplateFamily : std::uint8_t {
  kGemma4,                ///< what render_chat() writes for ChatFamily::kGemma4
  kGemma4NoEmptyThought,  ///< the same without the empty thought channel when thinking is off
  kGemma3,                ///< what render_chat() writes for ChatFamily::kGemma3
  kUnknown,               ///< anything else: prompts may differ from what the model was trained on
};

/// Recognises the published Gemma 4 templates with one line break after the role and none around
/// media: the one of the 12B and 31B models (also its shorter predecessor of 17,466 bytes) and the
/// one of the small models. The first preview, which put line breaks around pictures, is unknown.
/// So are the templates of Gemma 1 and 2, which know no system text, beside that of Gemma 3.
TemplateFamily chat_template_family(std::string_view template_text) noexcept;

}  // namespace nolens
