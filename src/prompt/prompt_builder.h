// Collects the pieces of a prompt; adjacent texts become one, so that the tokenizer sees them
// whole.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "nolens/chat.h"

namespace nolens {

class PromptBuilder {
 public:
  /// Ordinary text: never becomes a control token.
  void text(std::string_view text) {
    if (text.empty()) {
      return;
    }
    if (auto* last = prompt_.empty() ? nullptr : std::get_if<PromptText>(&prompt_.back())) {
      last->text += text;
    } else {
      prompt_.emplace_back(PromptText{std::string(text)});
    }
  }

  /// One control token of the template.
  void special(const char* token) { prompt_.emplace_back(PromptSpecial{token}); }

  /// A picture, sound or clip; false, and nothing done, for text.
  bool media(const ContentPart& part) {
    if (const auto* image = std::get_if<ImagePart>(&part)) {
      prompt_.emplace_back(PromptImage{image->image, image->name, image->max_soft_tokens});
    } else if (const auto* audio = std::get_if<AudioPart>(&part)) {
      prompt_.emplace_back(PromptAudio{audio->audio, audio->name});
    } else if (const auto* video = std::get_if<VideoPart>(&part)) {
      prompt_.emplace_back(PromptVideo{video->video, video->name, video->max_soft_tokens});
    } else {
      return false;
    }
    return true;
  }

  /// Text between two quote tokens, the template's form of a string.
  void quoted(std::string_view value) {
    special(kQuote);
    text(value);
    special(kQuote);
  }

  Prompt take() { return std::move(prompt_); }

  static constexpr const char* kQuote = "<|\"|>";

 private:
  Prompt prompt_;
};

}  // namespace nolens
