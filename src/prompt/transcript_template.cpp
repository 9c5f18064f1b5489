// The form is docs/cli.md, "Conversations as plain text".
#include "prompt/transcript_template.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "nolens/error.h"

#include "prompt/prompt_builder.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

constexpr std::string_view kPreamble =
    "The following is a conversation between a user and a helpful assistant. The assistant gives "
    "short, correct answers.";
// A pretrained model takes the form, and the length of answers, from what it has just read.
constexpr std::string_view kPrimer =
    "\n\n"
    "User: Hello!\n"
    "Assistant: Hello! How can I help you?\n"
    "User: What colour is the sky?\n"
    "Assistant: The sky is blue.\n";
constexpr std::string_view kUser = "User:";
constexpr std::string_view kAssistant = "Assistant:";

// As Python's splitlines() has them; the last three are U+0085, U+2028 and U+2029.
constexpr std::array<std::string_view, 10> kLineBreaks = {
    "\n", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};

[[noreturn]] void fail(std::size_t message, const std::string& reason) {
  throw Error(ErrorCode::kInput, "messages[" + std::to_string(message) + "]: " + reason);
}

/// Bytes of the line break that `text` begins with; 0 if it begins with none.
std::size_t line_break_size(std::string_view text) noexcept {
  const auto found = std::find_if(kLineBreaks.begin(), kLineBreaks.end(),
                                  [&](std::string_view mark) { return text.starts_with(mark); });
  return found == kLineBreaks.end() ? 0 : found->size();
}

/// The trimmed text on one line.
std::string on_one_line(std::string_view text) {
  std::string line;
  text = python_strip(text);
  while (!text.empty()) {
    if (line_break_size(text) == 0) {
      line += text.front();
      text.remove_prefix(1);
      continue;
    }
    text = python_strip(text);
    line.resize(python_strip(line).size());
    line += ' ';
  }
  return line;
}

void refuse_unsupported(const ChatOptions& options) {
  if (!options.tools.empty()) {
    throw Error(ErrorCode::kInput,
                "tools: a transcript has no tools; leave them out or use the model's own chat "
                "format");
  }
  if (options.enable_thinking) {
    throw Error(ErrorCode::kInput,
                "thinking: a transcript has no thinking; ask without it or use the model's own "
                "chat format");
  }
}

std::string system_text(const Message& message) {
  std::string text;
  for (const ContentPart& part : message.content) {
    const auto* const piece = std::get_if<TextPart>(&part);
    if (piece == nullptr) {
      fail(0,
           "the system message holds a picture, sound or clip, which has no place before the "
           "conversation; put it into a user message");
    }
    text += (text.empty() ? "" : " ") + std::string(python_strip(piece->text));
  }
  return text;
}

void write_turn(std::size_t index, const Message& message, PromptBuilder& out) {
  if (message.role == Role::kTool || !message.tool_calls.empty()) {
    fail(index, "belongs to a tool call, but a transcript has no tools");
  }
  if (message.role != Role::kUser && message.role != Role::kAssistant) {
    fail(index, "is a system message; in a transcript only the first message may be one");
  }
  out.text(message.role == Role::kUser ? kUser : kAssistant);
  for (const ContentPart& part : message.content) {
    if (const auto* const text = std::get_if<TextPart>(&part)) {
      const std::string line = on_one_line(text->text);
      out.text(line.empty() ? "" : " " + line);
    } else {
      out.text(" ");
      out.media(part);
    }
  }
  out.text("\n");
}

}  // namespace

Prompt render_transcript(const std::vector<Message>& messages, const ChatOptions& options) {
  refuse_unsupported(options);
  const bool has_system = !messages.empty() && (messages.front().role == Role::kSystem ||
                                                messages.front().role == Role::kDeveloper);
  const std::size_t first = has_system ? 1 : 0;
  if (messages.size() == first) {
    throw Error(ErrorCode::kInput, "messages: a transcript needs at least one user message");
  }
  const std::string system = has_system ? system_text(messages.front()) : std::string();
  PromptBuilder out;
  out.special("<bos>");
  out.text(system.empty() ? kPreamble : std::string_view(system));
  out.text(kPrimer);
  for (std::size_t i = first; i < messages.size(); ++i) {
    write_turn(i, messages[i], out);
  }
  if (options.add_generation_prompt) {
    out.text(kAssistant);
  }
  return out.take();
}

}  // namespace nolens
