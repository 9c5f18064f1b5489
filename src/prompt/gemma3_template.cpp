// The rules of the published template (docs/gemma3.md, "Conversations"); what it would drop without
// a word is refused.
#include "prompt/gemma3_template.h"

#include <cstddef>
#include <string>

#include "nolens/error.h"

#include "prompt/prompt_builder.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

constexpr const char* kBos = "<bos>";
constexpr const char* kTurnBegin = "<start_of_turn>";
constexpr const char* kTurnEnd = "<end_of_turn>";

[[noreturn]] void fail(std::size_t message, const std::string& reason) {
  throw Error(ErrorCode::kInput, "messages[" + std::to_string(message) + "]: " + reason);
}

void refuse_unsupported(const ChatOptions& options) {
  if (!options.tools.empty()) {
    throw Error(
        ErrorCode::kInput,
        "tools: this model's chat template (Gemma 3) has no tools; leave them out or take a "
        "model that knows them");
  }
  if (options.enable_thinking) {
    throw Error(ErrorCode::kInput,
                "thinking: this model's chat template (Gemma 3) has no thinking; ask without it");
  }
}

/// The text of a part. \throws Error{kInput} for anything but text
const std::string& text_of(std::size_t message, const ContentPart& part) {
  const auto* text = std::get_if<TextPart>(&part);
  if (text == nullptr) {
    fail(message,
         "holds a picture, sound or clip, but this model (Gemma 3) takes text only here: its "
         "pictures go through an encoder, which is not supported");
  }
  return text->text;
}

/// The system text and what stands between it and the first user text; the template reads the first
/// part only.
std::string system_prefix(const Message& message) {
  if (message.content.size() > 1) {
    fail(0, "the system message has " + std::to_string(message.content.size()) +
                " parts, of which the chat template would drop all but the first; join them");
  }
  return (message.content.empty() ? std::string() : text_of(0, message.content.front())) + "\n\n";
}

void check_role(std::size_t index, const Message& message, bool is_user_turn) {
  if (message.role == Role::kTool || !message.tool_calls.empty()) {
    fail(index, "belongs to a tool call, but this model's chat template (Gemma 3) has no tools");
  }
  if (message.role != (is_user_turn ? Role::kUser : Role::kAssistant)) {
    fail(index, std::string("must be from the ") + (is_user_turn ? "user" : "assistant") +
                    ": user and assistant take turns, after at most one system message at the "
                    "beginning");
  }
}

}  // namespace

Prompt render_gemma3_chat(const std::vector<Message>& messages, const ChatOptions& options) {
  refuse_unsupported(options);
  const bool has_system = !messages.empty() && messages.front().role == Role::kSystem;
  const std::size_t first = has_system ? 1 : 0;
  if (messages.size() == first) {
    throw Error(ErrorCode::kInput,
                "messages: this model's chat template (Gemma 3) needs at least one user message");
  }
  PromptBuilder out;
  out.special(kBos);
  for (std::size_t i = first; i < messages.size(); ++i) {
    const bool is_user_turn = (i - first) % 2 == 0;
    check_role(i, messages[i], is_user_turn);
    out.special(kTurnBegin);
    out.text(is_user_turn ? "user\n" : "model\n");
    if (i == 1 && has_system) {
      out.text(system_prefix(messages.front()));
    }
    for (const ContentPart& part : messages[i].content) {
      out.text(python_strip(text_of(i, part)));
    }
    out.special(kTurnEnd);
    out.text("\n");
  }
  if (options.add_generation_prompt) {
    out.special(kTurnBegin);
    out.text("model\n");
  }
  return out.take();
}

}  // namespace nolens
