// Messages -> prompt as the canonical Gemma 3 chat template writes them.
#pragma once

#include <vector>

#include "nolens/chat.h"

namespace nolens {

/// <bos>, then a turn for each message: <start_of_turn>user or model, a line break, the trimmed
/// text, <end_of_turn>, a line break; then <start_of_turn>model and a line break for the answer. A
/// leading system text goes untrimmed before the first user text, with an empty line between.
/// \throws Error{kInput} if user and assistant do not take turns, and for what this family has not:
/// tools, thinking, pictures, sounds and clips.
Prompt render_gemma3_chat(const std::vector<Message>& messages, const ChatOptions& options);

}  // namespace nolens
