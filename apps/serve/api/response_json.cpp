#include "serve/api/response_json.h"

#include <algorithm>

namespace nolens::serve {
namespace {

std::int64_t image_tokens(const AppendResult& prompt) {
  std::int64_t sum = 0;
  for (const ImageReport& image : prompt.images) {
    sum += image.tokens;
  }
  for (const VideoReport& video : prompt.videos) {
    sum += video.tokens;
  }
  return sum;
}

std::int64_t audio_tokens(const AppendResult& prompt) {
  std::int64_t sum = 0;
  for (const AudioReport& audio : prompt.audios) {
    sum += audio.tokens;
  }
  return sum;
}

std::int64_t answer_tokens(const EngineResult& result) {
  std::int64_t sum = 0;
  for (const GenerateResult& answer : result.answers) {
    sum += static_cast<std::int64_t>(answer.tokens.size());
  }
  return sum;
}

double per_second(std::int64_t count, double seconds) {
  return seconds > 0.0 ? static_cast<double>(count) / seconds : 0.0;
}

}  // namespace

std::string to_text(const OutputJson& value) {
  return value.dump(-1, ' ', false, OutputJson::error_handler_t::replace);
}

OutputJson usage_json(const EngineResult& result, std::int64_t reasoning_tokens) {
  const auto prompt = static_cast<std::int64_t>(result.prompt.ids.size());
  const std::int64_t completion = answer_tokens(result);
  OutputJson usage;
  usage["prompt_tokens"] = prompt;
  usage["completion_tokens"] = completion;
  usage["total_tokens"] = prompt + completion;
  usage["prompt_tokens_details"] = {{"cached_tokens", result.prompt.cached_tokens},
                                    {"image_tokens", image_tokens(result.prompt)},
                                    {"audio_tokens", audio_tokens(result.prompt)}};
  usage["completion_tokens_details"] = {{"reasoning_tokens", reasoning_tokens}};
  return usage;
}

OutputJson timings_json(const EngineResult& result) {
  const AppendResult& prompt = result.prompt;
  const std::int64_t read = static_cast<std::int64_t>(prompt.ids.size()) - prompt.cached_tokens;
  const std::int64_t written = answer_tokens(result);
  double decode_seconds = 0.0;
  for (const GenerateResult& answer : result.answers) {
    decode_seconds = std::max(decode_seconds, answer.first_token_seconds + answer.decode_seconds);
  }
  OutputJson timings;
  timings["queue_ms"] = result.queue_seconds * 1e3;
  timings["preprocess_ms"] = prompt.preprocess_seconds * 1e3;
  timings["embed_ms"] = prompt.embed_seconds * 1e3;
  timings["cache_n"] = prompt.cached_tokens;
  timings["prompt_n"] = read;
  timings["prompt_ms"] = prompt.prefill_seconds * 1e3;
  timings["prompt_per_second"] = per_second(read, prompt.prefill_seconds);
  timings["predicted_n"] = written;
  timings["predicted_ms"] = decode_seconds * 1e3;
  timings["predicted_per_second"] = per_second(written, decode_seconds);
  return timings;
}

OutputJson images_json(const AppendResult& prompt) {
  OutputJson images = OutputJson::array();
  for (const ImageReport& image : prompt.images) {
    OutputJson entry;
    entry["source_width"] = image.source_width;
    entry["source_height"] = image.source_height;
    entry["used_width"] = image.used_width;
    entry["used_height"] = image.used_height;
    entry["tokens"] = image.tokens;
    entry["downscaled"] = image.downscaled();
    images.push_back(std::move(entry));
  }
  return images;
}

OutputJson tool_calls_json(const std::vector<ToolCall>& calls, std::size_t first, bool with_index) {
  OutputJson list = OutputJson::array();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    OutputJson call;
    if (with_index) {
      call["index"] = first + i;
    }
    call["id"] = calls[i].id;
    call["type"] = "function";
    call["function"] = {{"name", calls[i].name}, {"arguments", calls[i].arguments}};
    list.push_back(std::move(call));
  }
  return list;
}

void add_reports(OutputJson& response, const EngineResult& result, const std::optional<ImageBudget>& budget) {
  response["timings"] = timings_json(result);
  if (budget.has_value()) {
    response["image_budget"] = {{"tokens", budget->tokens},
                                {"image_latency", budget->seconds},
                                {"tokens_per_second", budget->tokens_per_second},
                                {"reason", budget->reason}};
  }
  const AppendResult& prompt = result.prompt;
  if (!prompt.images.empty()) {
    response["images"] = images_json(prompt);
  }
  for (const AudioReport& audio : prompt.audios) {
    response["audios"].push_back({{"seconds", audio.seconds}, {"pieces", audio.pieces}, {"tokens", audio.tokens}});
  }
  for (const VideoReport& video : prompt.videos) {
    response["videos"].push_back({{"source_frames", video.source_frames},
                                  {"source_fps", video.source_fps},
                                  {"used_frames", video.used_frames},
                                  {"used_width", video.used_width},
                                  {"used_height", video.used_height},
                                  {"tokens", video.tokens}});
  }
}

}  // namespace nolens::serve
