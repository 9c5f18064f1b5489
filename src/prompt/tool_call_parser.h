// The text of a tool call -> name and JSON arguments.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "nolens/chat.h"

namespace nolens {

/// Parses what stands between `<|tool_call>` and `<tool_call|>`: `call:NAME{key:value,…}`. Values
/// are strings between `<|"|>` marks (which may hold anything but that mark), JSON numbers, true,
/// false, null, [a,b] and {key:value}; keys are bare or quoted the same way; white space between
/// them is allowed. `arguments` of the result is a JSON object with the keys in the order found.
/// Returns nothing for anything else: bare words, duplicate keys, more than 64 levels, trailing
/// text. The id is left empty.
std::optional<ToolCall> parse_tool_call(std::string_view text);

}  // namespace nolens
