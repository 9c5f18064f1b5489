// Messages -> prompt, as the canonical Gemma 4 chat template writes them.
//
// The order of output and its odd corners are those of the published template (docs/model.md, "Chat
// template"). Control tokens come from here only; everything a message holds is plain text.
#include <cstddef>
#include <optional>

#include "nolens/chat.h"
#include "nolens/error.h"

#include "prompt/gemma3_template.h"
#include "prompt/prompt_builder.h"
#include "prompt/python_text.h"
#include "prompt/template_value.h"
#include "prompt/tool_syntax.h"
#include "prompt/transcript_template.h"

namespace nolens {
namespace {

constexpr const char* kBos = "<bos>";
constexpr const char* kTurnBegin = "<|turn>";
constexpr const char* kTurnEnd = "<turn|>";
constexpr const char* kThink = "<|think|>";
constexpr const char* kChannelBegin = "<|channel>";
constexpr const char* kChannelEnd = "<channel|>";
constexpr const char* kToolBegin = "<|tool>";
constexpr const char* kToolEnd = "<tool|>";
constexpr const char* kToolCallBegin = "<|tool_call>";
constexpr const char* kToolCallEnd = "<tool_call|>";
constexpr const char* kToolResponseBegin = "<|tool_response>";
constexpr const char* kToolResponseEnd = "<tool_response|>";
constexpr const char* kImagePlaceholder = "<|image|>";
constexpr const char* kAudioPlaceholder = "<|audio|>";
constexpr const char* kVideoPlaceholder = "<|video|>";

std::string where_of(std::size_t message) {
  return "messages[" + std::to_string(message) + "]";
}

const char* role_name(Role role) noexcept {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kDeveloper: return "developer";
    case Role::kUser: return "user";
    case Role::kAssistant: return "model";
    case Role::kTool: break;
  }
  return "tool";
}

/// Text outside `<|channel>…<channel|>`; an unclosed channel reaches to the end of the text.
std::string without_channels(std::string_view text) {
  std::string result;
  while (true) {
    const std::size_t end = text.find(kChannelEnd);
    const std::string_view part = text.substr(0, end);
    result += part.substr(0, part.find(kChannelBegin));
    if (end == std::string_view::npos) {
      return result;
    }
    text.remove_prefix(end + std::string_view(kChannelEnd).size());
  }
}

/// What the end of the last message decides for the generation prompt.
enum class LastPart : std::uint8_t { kOther, kToolCall, kToolResponse };

class Renderer {
 public:
  Renderer(const std::vector<Message>& messages, const ChatOptions& options)
      : messages_(messages), options_(options) {}

  Prompt render() {
    out_.special(kBos);
    write_system_turn();
    for (std::size_t i = first_; i < messages_.size(); ++i) {
      if (messages_[i].role == Role::kUser) {
        last_user_ = i;
      }
    }
    for (std::size_t i = first_; i < messages_.size(); ++i) {
      if (messages_[i].role != Role::kTool) {
        write_message(i);
      } else {
        refuse_lost_media(i);
      }
    }
    if (options_.add_generation_prompt) {
      write_generation_prompt();
    }
    return out_.take();
  }

 private:
  void write_system_turn() {
    const bool has_system = !messages_.empty() && (messages_[0].role == Role::kSystem ||
                                                   messages_[0].role == Role::kDeveloper);
    TemplateValue tools = TemplateValue::list();
    if (!options_.tools.empty()) {
      tools = TemplateValue::parse(options_.tools, "tools");
      if (!tools.is_list() && !tools.is_null()) {
        throw Error(ErrorCode::kInput, "tools must be a JSON array of tool declarations");
      }
    }
    if (!options_.enable_thinking && !has_system && !tools.truthy()) {
      return;
    }
    out_.special(kTurnBegin);
    out_.text("system\n");
    if (options_.enable_thinking) {
      out_.special(kThink);
      out_.text("\n");
    }
    if (has_system) {
      write_system_text(messages_[0]);
      first_ = 1;
    }
    for (std::size_t i = 0; i < tools.items().size(); ++i) {
      out_.special(kToolBegin);
      write_declaration(tools.items()[i], "tools[" + std::to_string(i) + "]", out_);
      out_.special(kToolEnd);
    }
    end_turn();
  }

  void write_system_text(const Message& message) {
    for (const ContentPart& part : message.content) {
      const auto* text = std::get_if<TextPart>(&part);
      if (text == nullptr) {
        throw Error(
            ErrorCode::kInput,
            "messages[0]: the system message holds a picture, sound or clip, which the chat "
            "template would drop; put it into a user message");
      }
      out_.text(python_strip(text->text));
      if (!message.content_is_string) {
        out_.text(" ");
      }
    }
  }

  void write_message(std::size_t index) {
    const Message& message = messages_[index];
    const bool is_model = message.role == Role::kAssistant;
    last_part_ = LastPart::kOther;
    if (!is_model || previous_role_ != Role::kAssistant) {
      out_.special(kTurnBegin);
      out_.text(std::string(role_name(message.role)) + "\n");
    }
    previous_role_ = message.role;

    const bool after_last_user = !last_user_ || index > *last_user_;
    const bool preserved = options_.preserve_thinking && !message.tool_calls.empty();
    if (!message.reasoning.empty() && (after_last_user || preserved)) {
      out_.special(kChannelBegin);
      out_.text("thought\n" + message.reasoning + "\n");
      out_.special(kChannelEnd);
    }
    bool has_results = false;
    if (!message.tool_calls.empty()) {
      write_tool_calls(index);
      has_results = write_tool_results(index);
      last_part_ = has_results ? LastPart::kToolResponse : LastPart::kToolCall;
    }
    const bool has_content = write_content(message);
    close_message(index, has_results, has_content);
  }

  void write_tool_calls(std::size_t index) {
    const std::vector<ToolCall>& calls = messages_[index].tool_calls;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const std::string where =
          where_of(index) + ".tool_calls[" + std::to_string(i) + "].arguments";
      const TemplateValue arguments = TemplateValue::parse(calls[i].arguments, where);
      if (!arguments.is_map() && !arguments.is_null()) {
        throw Error(ErrorCode::kInput, where + " must be a JSON object, not another value");
      }
      out_.special(kToolCallBegin);
      out_.text("call:" + calls[i].name + "{");
      write_pairs(arguments, out_);
      out_.text("}");
      out_.special(kToolCallEnd);
    }
  }

  /// Writes the tool messages that follow a message with calls; false if there are none.
  bool write_tool_results(std::size_t index) {
    std::size_t i = index + 1;
    for (; i < messages_.size() && messages_[i].role == Role::kTool; ++i) {
      write_tool_result(i, result_name(messages_[index].tool_calls, messages_[i]));
    }
    results_end_ = i;
    return i > index + 1;
  }

  /// The last call with the result's id; two missing ids are equal, as in the template.
  static std::string result_name(const std::vector<ToolCall>& calls, const Message& result) {
    std::string name = result.name.empty() ? "unknown" : result.name;
    for (const ToolCall& call : calls) {
      if (call.id == result.tool_call_id) {
        name = call.name;
      }
    }
    return name;
  }

  void write_tool_result(std::size_t index, const std::string& name) {
    const Message& message = messages_[index];
    TemplateValue result = TemplateValue::string(joined_text(message));
    if (!message.result_json.empty()) {
      result = TemplateValue::parse(message.result_json, where_of(index) + ".content");
    }
    out_.special(kToolResponseBegin);
    out_.text("response:" + name + "{");
    if (result.is_map()) {
      write_pairs(result, out_);
    } else {
      out_.text("value:");
      write_value(result, KeyStyle::kBare, out_);
    }
    out_.text("}");
    out_.special(kToolResponseEnd);
    for (const ContentPart& part : message.content) {
      out_.media(part);
    }
  }

  static std::string joined_text(const Message& message) {
    std::string result;
    for (const ContentPart& part : message.content) {
      if (const auto* text = std::get_if<TextPart>(&part)) {
        result += text->text;
      }
    }
    return result;
  }

  /// The template drops results that follow no call; their media may not vanish with them.
  void refuse_lost_media(std::size_t index) const {
    if (index < results_end_) {
      return;
    }
    for (const ContentPart& part : messages_[index].content) {
      if (!std::holds_alternative<TextPart>(part)) {
        throw Error(ErrorCode::kInput,
                    where_of(index) +
                        ": the tool result holds a picture, sound or clip but follows no "
                        "assistant message with tool calls, so the chat template would drop it");
      }
    }
  }

  /// False if what was written is nothing but white space.
  bool write_content(const Message& message) {
    bool has_content = false;
    for (const ContentPart& part : message.content) {
      if (out_.media(part)) {
        has_content = true;
        continue;
      }
      const std::string& text = std::get<TextPart>(part).text;
      const std::string kept =
          message.role == Role::kAssistant ? without_channels(text) : std::string(text);
      const std::string_view stripped = python_strip(kept);
      out_.text(stripped);
      has_content = has_content || !stripped.empty();
    }
    return has_content;
  }

  void close_message(std::size_t index, bool has_results, bool has_content) {
    std::size_t next = index + 1;
    while (next < messages_.size() && messages_[next].role == Role::kTool) {
      ++next;
    }
    const bool has_next = next < messages_.size();
    const bool goes_on = messages_[index].role == Role::kAssistant && has_next &&
                         messages_[next].role == Role::kAssistant;
    if (last_part_ == LastPart::kToolCall) {
      out_.special(kToolResponseBegin);
    } else if (!goes_on && (!has_results || has_content || has_next)) {
      end_turn();
    }
  }

  void write_generation_prompt() {
    if (last_part_ == LastPart::kOther) {
      out_.special(kTurnBegin);
      out_.text("model\n");
      if (!options_.enable_thinking) {
        out_.special(kChannelBegin);
        out_.text("thought\n");
        out_.special(kChannelEnd);
      }
    } else if (last_part_ == LastPart::kToolResponse && options_.enable_thinking) {
      out_.special(kChannelBegin);
      out_.text("thought\n");
    }
  }

  void end_turn() {
    out_.special(kTurnEnd);
    out_.text("\n");
  }

  const std::vector<Message>& messages_;
  const ChatOptions& options_;
  PromptBuilder out_;
  std::size_t first_ = 0;                 // the first message after a leading system message
  std::optional<std::size_t> last_user_;  // index of the last user message
  std::optional<Role> previous_role_;     // of the last message that is no tool result
  std::size_t results_end_ = 0;           // tool messages before it have been written
  LastPart last_part_ = LastPart::kOther;
};

}  // namespace

Prompt render_chat(const std::vector<Message>& messages, const ChatOptions& options) {
  switch (options.family) {
    case ChatFamily::kGemma3: return render_gemma3_chat(messages, options);
    case ChatFamily::kTranscript: return render_transcript(messages, options);
    case ChatFamily::kGemma4: break;
  }
  return Renderer(messages, options).render();
}

std::vector<std::string> chat_stops(ChatFamily family) {
  return family == ChatFamily::kTranscript ? std::vector<std::string>{kTranscriptStop}
                                           : std::vector<std::string>();
}

std::string prompt_text(const Prompt& prompt) {
  std::string result;
  for (const PromptPart& part : prompt) {
    if (const auto* text = std::get_if<PromptText>(&part)) {
      result += text->text;
    } else if (const auto* special = std::get_if<PromptSpecial>(&part)) {
      result += special->token;
    } else {
      result += std::holds_alternative<PromptAudio>(part)   ? kAudioPlaceholder
                : std::holds_alternative<PromptVideo>(part) ? kVideoPlaceholder
                                                            : kImagePlaceholder;
    }
  }
  return result;
}

std::string transcription_instruction(const std::string& language) {
  const std::string what = "Transcribe the following speech segment in ";
  const std::string how = " Only output the transcription, with no newlines.";
  return language.empty() ? what + "its original language." + how
                          : what + language + " into " + language + " text." + how;
}

}  // namespace nolens
