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
struct AudioPart {
  Audio audio;
  std::string name;
};
struct VideoPart {
  Video video;
  std::string name;
  std::int64_t max_soft_tokens = 0;   ///< of each frame; 0 = the model's for video
};
using ContentPart = std::variant<TextPart, ImagePart, AudioPart, VideoPart>;

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

/// How messages become a prompt and output becomes an answer. Model::chat_family() says which one a model
/// was made for.
enum class ChatFamily : std::uint8_t {
  kGemma4,  ///< turns between <|turn> and <turn|>, with reasoning and tools
  kGemma3,  ///< turns between <start_of_turn> and <end_of_turn>, text only
  /// Plain text, a line for each turn, for models that were never taught turns. No model says so
  /// itself: it is for the user to choose.
  kTranscript,
};

struct ChatOptions {
  ChatFamily family = ChatFamily::kGemma4;
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
struct PromptAudio {
  Audio audio;
  std::string name;
};
struct PromptVideo {
  Video video;
  std::string name;
  std::int64_t max_soft_tokens = 0;
};
using PromptPart = std::variant<PromptText, PromptSpecial, PromptImage, PromptAudio, PromptVideo>;
using Prompt = std::vector<PromptPart>;

/// Reads an OpenAI-style messages array. Parts of type `image`, `audio` and `video` name a file by
/// "path", relative to `base_directory`, or hold it as a data URL; a video may be a list of pictures,
/// {"type": "video", "frames": [...], "fps": 2}. http(s) URLs are refused.
/// \throws Error{kInput} naming the message and part; Error{kResource} beyond the limits.
std::vector<Message> parse_messages(std::string_view json,
                                    const std::filesystem::path& base_directory,
                                    const MediaOptions& options = {});

/// Renders messages with the canonical template of options.family (docs/model.md, "Chat template";
/// docs/gemma3.md). \throws Error{kInput} where the template raises or would drop what was said.
Prompt render_chat(const std::vector<Message>& messages, const ChatOptions& options);

/// What asks for the words of a sound, in the model card's wording. `language` is a name such as "German"; empty =
/// that of the speech.
std::string transcription_instruction(const std::string& language);

/// Texts that end an answer, for GenerateOptions::stop; none where a control token does.
std::vector<std::string> chat_stops(ChatFamily family);

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
  /// Output of kGemma3 and kTranscript has one channel: all of it is the answer, which kTranscript
  /// trims.
  explicit OutputParser(ChatFamily family = ChatFamily::kGemma4);
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

ParsedOutput parse_output(std::string_view text, ChatFamily family = ChatFamily::kGemma4);

}  // namespace nolens
