#include "json_output.h"

#include "loading.h"

namespace nolens::cli {
namespace {

constexpr double kMillisecondsPerSecond = 1000.0;

/// 0 if nothing was counted or the time is too short to measure.
double per_second(std::int64_t count, double seconds) {
  return count > 0 && seconds > 0.0 ? static_cast<double>(count) / seconds : 0.0;
}

OutputJson timings_json(const Answer& answer, double load_ms) {
  const auto prompt_tokens = static_cast<std::int64_t>(answer.prompt.ids.size());
  const auto completion_tokens = static_cast<std::int64_t>(answer.result.tokens.size());
  const double before_first = answer.prompt.preprocess_seconds + answer.prompt.prefill_seconds +
                              answer.result.first_token_seconds;
  return {
      {"load_ms", load_ms},
      {"preprocess_ms", answer.prompt.preprocess_seconds * kMillisecondsPerSecond},
      {"prefill_ms", answer.prompt.prefill_seconds * kMillisecondsPerSecond},
      {"prefill_tokens_per_second",
       per_second(prompt_tokens - answer.prompt.cached_tokens, answer.prompt.prefill_seconds)},
      // The first token comes out of the prefill; decoding makes the others.
      {"decode_tokens_per_second", per_second(completion_tokens - 1, answer.result.decode_seconds)},
      {"first_token_ms", before_first * kMillisecondsPerSecond}};
}

OutputJson images_json(const Answer& answer) {
  OutputJson images = OutputJson::array();
  for (const ImageReport& image : answer.prompt.images) {
    images.push_back({{"source_width", image.source_width},
                      {"source_height", image.source_height},
                      {"used_width", image.used_width},
                      {"used_height", image.used_height},
                      {"tokens", image.tokens},
                      {"downscaled", image.downscaled()}});
  }
  return images;
}

OutputJson audios_json(const Answer& answer) {
  OutputJson audios = OutputJson::array();
  for (const AudioReport& audio : answer.prompt.audios) {
    audios.push_back(
        {{"seconds", audio.seconds}, {"pieces", audio.pieces}, {"tokens", audio.tokens}});
  }
  return audios;
}

OutputJson videos_json(const Answer& answer) {
  OutputJson videos = OutputJson::array();
  for (const VideoReport& video : answer.prompt.videos) {
    videos.push_back({{"source_frames", video.source_frames},
                      {"source_fps", video.source_fps},
                      {"used_frames", video.used_frames},
                      {"used_width", video.used_width},
                      {"used_height", video.used_height},
                      {"tokens", video.tokens}});
  }
  return videos;
}

}  // namespace

std::string json_line(const OutputJson& value) {
  return value.dump(-1, ' ', false, OutputJson::error_handler_t::replace) + "\n";
}

OutputJson answer_json(const Answer& answer, const Model& model, const Session& session,
                       double load_ms, const GenerateOptions& options) {
  OutputJson json;
  json["text"] = answer.output.text;
  json["reasoning"] = answer.output.reasoning;
  json["finish_reason"] = answer.finish_reason();
  if (!answer.output.tool_calls.empty()) {
    json["tool_calls"] = OutputJson::array();
    for (const ToolCall& call : answer.output.tool_calls) {
      json["tool_calls"].push_back(
          {{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
    }
  }
  json["usage"] = {{"prompt_tokens", answer.prompt.ids.size()},
                   {"completion_tokens", answer.result.tokens.size()},
                   {"image_tokens", answer.image_tokens()},
                   {"audio_tokens", answer.audio_tokens()}};
  json["timings"] = timings_json(answer, load_ms);
  json["images"] = images_json(answer);
  json["audios"] = audios_json(answer);
  json["videos"] = videos_json(answer);
  json["memory"] = {{"peak_rss_bytes", peak_rss_bytes()},
                    {"weights_bytes", model.weights_bytes()},
                    {"kv_bytes", session.kv_bytes()}};
  if (options.draft.source != DraftSource::kOff) {
    const DraftStats& stats = answer.result.draft;
    json["draft"] = {{"passes", stats.passes},
                     {"drafted", stats.drafted},
                     {"accepted", stats.accepted},
                     {"acceptance", stats.acceptance()},
                     {"tokens_per_pass", stats.tokens_per_pass()}};
  }
  json["seed"] = options.sampler.seed;
  return json;
}

}  // namespace nolens::cli
