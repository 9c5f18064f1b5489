// Messages -> a conversation written down as plain text, for models that were never taught turns.
#pragma once

#include <vector>

#include "nolens/chat.h"

namespace nolens {

/// Ends an answer: a turn is one line, so what follows is the model writing the next turn itself.
inline constexpr const char* kTranscriptStop = "\n";

/// <bos>, a preamble, an empty line, two exchanges that show the form, then a line for each
/// message, `User: …` or `Assistant: …`, then `Assistant:`. A leading system text replaces the
/// preamble; it is trimmed and keeps its lines. Other texts are trimmed, and a line break in them
/// becomes a space together with the white space around it: no text but the system's begins a line.
/// Parts of a message have a space between. Reasoning of earlier answers is left out. \throws
/// Error{kInput} for what plain text has no form for: tools, thinking, system messages that are not
/// the first or hold media, and a conversation without messages.
Prompt render_transcript(const std::vector<Message>& messages, const ChatOptions& options);

}  // namespace nolens
