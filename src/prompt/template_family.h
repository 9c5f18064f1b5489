// Which chat template a model came with, told by features of its text.
#pragma once

#include <cstdint>
#include <string_view>

namespace nolens {

enum class TemplateFamily : std::uint8_t {
  kGemma4,                ///< what render_chat() writes
  kGemma4NoEmptyThought,  ///< the same without the empty thought channel when thinking is off
  kUnknown,               ///< anything else: prompts may differ from what the model was trained on
};

/// Recognises the published Gemma 4 templates with one line break after the role and none around
/// media: the one of the 12B and 31B models (also its shorter predecessor of 17,466 bytes) and the
/// one of the small models. The first preview, which put line breaks around pictures, is unknown.
TemplateFamily chat_template_family(std::string_view template_text) noexcept;

}  // namespace nolens
