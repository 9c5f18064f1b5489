// Conversations: messages in, prompt out; model text in, reasoning, answer and tool calls out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nolens/config.h"
#include "nolens/media.h"

namespace nolens {

struct TextPart {
  std::string text;
};
struct ImagePart {
  Image image;
  std::string name;                   ///< for messages to the user
  std::int64_t max_soft_tokens = 0;   ///< 0 = the session's budget
};
using ContentPart = std::variant<TextPart, ImagePart>;

enum class Role : std::uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool };

/// A call the model made. `arguments` is the text of a JSON object.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments = "{}";
};

struct Message {
  Role role = Role::kUser;
  /// True when `content` came as one string: the template trims a string and a list differently.
  bool content_is_string = true;
  std::vector<ContentPart> content{};
  std::string reasoning{};               ///< assistant only
  std::vector<ToolCall> tool_calls{};    ///< assistant only
  std::string tool_call_id{};            ///< tool only
  /// Tool only: a result that is neither text nor parts, as JSON. Empty = the result is `content`.
  std::string result_json{};
  std::string name{};                    ///< tool only
};

struct ChatOptions {
  bool enable_thinking = false;
  bool preserve_thinking = false;
  bool add_generation_prompt = true;
  std::string tools{};  ///< JSON array of OpenAI tool declarations, empty = none
};

/// One piece of a prompt in reading order. Only kSpecial yields control tokens, so text typed by a
/// user never does.
struct PromptText {
  std::string text;
};
struct PromptSpecial {
  std::string token;  ///< exactly one added token, such as "<|turn>"
};
struct PromptImage {
  Image image;
  std::string name;
  std::int64_t max_soft_tokens = 0;
};
using PromptPart = std::variant<PromptText, PromptSpecial, PromptImage>;
using Prompt = std::vector<PromptPart>;

/// Reads an OpenAI-style messages array. `{"type":"image","path":…}` parts are read relative to
/// `base_directory`; data URLs are decoded; http(s) URLs are refused.
/// \throws Error{kInput} naming the message and part.
std::vector<Message> parse_messages(std::string_view json,
                                    const std::filesystem::path& base_directory,
                                    const ImageLimits& limits = {},
                                    AlphaMode alpha = AlphaMode::kDrop);

/// Renders messages with the canonical Gemma 4 template (docs/model.md, "Chat template").
/// \throws Error{kInput} where the template raises.
Prompt render_chat(const std::vector<Message>& messages, const ChatOptions& options);

/// The prompt as the template's text, media as their placeholder tokens: for tests and people.
std::string prompt_text(const Prompt& prompt);

/// Model output split into its channels.
struct ParsedOutput {
  std::string reasoning;
  std::string text;
  std::vector<ToolCall> tool_calls;
};

/// Splits streamed text into reasoning, answer and tool calls, piece by piece.
class OutputParser {
 public:
  struct Delta {
    std::string reasoning;
    std::string text;
    std::vector<ToolCall> tool_calls;  ///< complete calls only
  };
  OutputParser();
  ~OutputParser();
  OutputParser(OutputParser&&) noexcept;
  OutputParser& operator=(OutputParser&&) noexcept;
  /// `text` may be any part of the output, special tokens included as their text.
  Delta push(std::string_view text);
  /// Flushes what was held back. \throws nothing: an unfinished tool call becomes text.
  Delta finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

ParsedOutput parse_output(std::string_view text);

}  // namespace nolens
