// The objects that answers of all endpoints contain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nolens/engine.h"

#include "formats/json.h"
#include "serve/api/image_latency.h"

namespace nolens::serve {

/// Keeps the order in which fields are set.
using OutputJson = nlohmann::ordered_json;

/// One line of text; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const OutputJson& value);

/// {prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details, completion_tokens_details}
OutputJson usage_json(const EngineResult& result, std::int64_t reasoning_tokens);
/// Milliseconds and rates, under llama.cpp's names where it has one.
OutputJson timings_json(const EngineResult& result);
/// [{source_width, source_height, used_width, used_height, tokens, downscaled}]
OutputJson images_json(const AppendResult& prompt);
/// Tool calls in OpenAI's form; `first` is the index of the first one in its message.
OutputJson tool_calls_json(const std::vector<ToolCall>& calls, std::size_t first, bool with_index);

/// Puts timings, and images, audios and videos where there are any, into a response; and how the budget of the
/// pictures was chosen, if it was.
void add_reports(OutputJson& response, const EngineResult& result,
                 const std::optional<ImageBudget>& budget = std::nullopt);

}  // namespace nolens::serve
