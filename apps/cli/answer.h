// One answer of the model: prompt in, channels apart, streamed to the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nolens/chat.h"
#include "nolens/generate.h"
#include "nolens/session.h"

namespace nolens::cli {

/// What the answer's pieces are printed to while they arrive.
enum class Stream : std::uint8_t {
  kAnswer,              ///< the answer to stdout
  kAnswerAndReasoning,  ///< also the reasoning, dimmed, to stderr
  kNothing,
};

struct Answer {
  ParsedOutput output;
  AppendResult prompt;
  GenerateResult result;
  [[nodiscard]] std::int64_t image_tokens() const;  ///< of pictures and of frames of clips
  [[nodiscard]] std::int64_t audio_tokens() const;
  /// "stop", "length" or "tool_calls"
  [[nodiscard]] const char* finish_reason() const noexcept;
};

/// A message with nothing but text.
Message text_message(Role role, const std::string& text);

/// Makes `prompt` the context of `session` and lets the model answer, up to a stop text of
/// `options` or of `family` itself. Ctrl-C ends the answer with FinishReason::kCancelled. \throws
/// Error, OutputClosed; Error{kInterrupted} on Ctrl-C before the first token
Answer answer_prompt(Session& session, const Prompt& prompt, ChatFamily family,
                     const GenerateOptions& options, Stream stream);

/// What became of the media of a prompt, a line each, for people.
std::string describe_media(const AppendResult& prompt);

/// Prints tool calls as lines `NAME ARGUMENTS`, and a line break if the answer needs one.
void finish_printing(const Answer& answer);

}  // namespace nolens::cli
