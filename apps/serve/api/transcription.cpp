#include "serve/api/transcription.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>
#include <utility>

#include "core/escape.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/multipart.h"
#include "serve/api/refusals.h"
#include "serve/api/response_json.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxFieldBytes = 16 * 1024;
constexpr std::array<const char*, 5> kFormats = {"json", "text", "verbose_json", "srt", "vtt"};

std::string without_outer_space(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  return first == std::string::npos ? std::string()
                                    : text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::string joined(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) {
    text += (text.empty() || segment.text.empty() ? "" : " ") + segment.text;
  }
  return text;
}

/// 00:00:12,345 with the mark that the format has before the thousandths.
std::string clock_time(double seconds, char mark) {
  const auto thousandths = static_cast<long long>(std::llround(seconds * 1000.0));
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%02lld:%02lld:%02lld%c%03lld", thousandths / 3600000,
                thousandths / 60000 % 60, thousandths / 1000 % 60, mark, thousandths % 1000);
  return text.data();
}

float read_temperature(const std::string& text) {
  float value = -1.0F;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0.0F && value <= 100.0F)) {
    throw invalid_field("temperature must be a number from 0 to 100, found " + escape_for_message(text, 40),
                        "temperature");
  }
  return value;
}

struct Upload {
  TranscriptionTask::Form form;
  std::string_view file;
  bool has_file = false;
};

void read_field(const FormPart& part, const Service& service, Upload& upload) {
  if (part.name == "file") {
    upload.file = part.data;
    upload.has_file = true;
    return;
  }
  if (part.data.size() > kMaxFieldBytes) {
    throw invalid_field(escape_for_message(part.name, 40) + " is too long", part.name.substr(0, 64));
  }
  const std::string value(part.data);
  if (part.name == "model") {
    require_model(value, service);
  } else if (part.name == "language") {
    upload.form.language = value;
  } else if (part.name == "prompt") {
    upload.form.prompt = value;
  } else if (part.name == "response_format") {
    if (std::find(kFormats.begin(), kFormats.end(), value) == kFormats.end()) {
      throw invalid_field("response_format must be json, text, verbose_json, srt or vtt, found " +
                              escape_for_message(value, 40),
                          "response_format");
    }
    upload.form.format = value;
  } else if (part.name == "temperature") {
    upload.form.temperature = read_temperature(value);
  } else if (part.name == "stream") {
    upload.form.stream = value == "true" || value == "1" || value == "True";
  } else if (part.name == "timestamp_granularities[]" && value != "segment") {
    throw unsupported("timestamp_granularities can only be segment: times are those of pauses", part.name);
  } else if (part.name != "timestamp_granularities[]") {
    upload.form.ignored.push_back(part.name);
  }
}

}  // namespace

std::string transcript_body(const std::string& format, const std::vector<Segment>& segments,
                            const std::string& language) {
  if (format == "text") {
    return joined(segments) + "\n";
  }
  if (format == "json") {
    return to_text({{"text", joined(segments)}});
  }
  if (format == "verbose_json") {
    OutputJson body;
    body["task"] = "transcribe";
    body["language"] = language;
    body["duration"] = segments.empty() ? 0.0 : segments.back().end;
    body["text"] = joined(segments);
    body["segments"] = OutputJson::array();
    for (std::size_t i = 0; i < segments.size(); ++i) {
      body["segments"].push_back(
          {{"id", i}, {"start", segments[i].begin}, {"end", segments[i].end}, {"text", segments[i].text}});
    }
    return to_text(body);
  }
  const bool is_srt = format == "srt";
  std::string body = is_srt ? "" : "WEBVTT\n\n";
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const char mark = is_srt ? ',' : '.';
    body += (is_srt ? std::to_string(i + 1) + "\n" : "") + clock_time(segments[i].begin, mark) + " --> " +
            clock_time(segments[i].end, mark) + "\n" + segments[i].text + "\n\n";
  }
  return body;
}

void transcriptions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  Upload upload;
  for (const FormPart& part : parse_form(request.header("content-type"), request.body)) {
    read_field(part, service, upload);
  }
  if (!upload.has_file) {
    throw invalid_field("file is missing: a sound is to be sent as a part of the form", "file");
  }
  if (upload.form.stream && upload.form.format != "json" && upload.form.format != "text") {
    throw unsupported("response_format of a stream can only be json or text", "response_format");
  }
  upload.form.owner = request.key;
  std::vector<Audio> pieces;
  try {
    const Audio sound = decode_audio(std::as_bytes(std::span(upload.file)), "file", service.options.media);
    pieces = split_at_pauses(*service.model, sound);
  } catch (const Error& error) {
    HttpError answer = refusal(error);
    answer.param = "file";
    answer.status = error.code() == ErrorCode::kResource ? 400 : answer.status;
    throw answer;
  }
  std::make_shared<TranscriptionTask>(service, exchange, std::move(upload.form), std::move(pieces))->begin();
}

TranscriptionTask::TranscriptionTask(Service& service, std::shared_ptr<Exchange> exchange, Form form,
                                     std::vector<Audio> pieces)
    : service_(service),
      exchange_(std::move(exchange)),
      form_(std::move(form)),
      pieces_(std::move(pieces)),
      stream_(form_.stream ? std::make_shared<EventStream>(exchange_, warnings(form_.ignored),
                                                           service.options.ping_interval)
                           : nullptr) {}

void TranscriptionTask::begin() {
  ask();
  if (stream_ != nullptr) {
    service_.keep_alive.add(stream_);
  }
}

/// The next piece. What is not asked for any more is seen at the end of a piece.
void TranscriptionTask::ask() {
  Message message;
  message.content_is_string = false;
  message.content.emplace_back(AudioPart{pieces_[segments_.size()], "file"});
  const std::string about = form_.prompt.empty() ? "" : "\n" + form_.prompt;
  message.content.emplace_back(TextPart{transcription_instruction(form_.language) + about});
  ChatOptions chat;
  chat.family = service_.options.family;
  EngineRequest request;
  request.prompt = render_chat({std::move(message)}, chat);
  request.generate.max_tokens = service_.engine.context_length();
  request.generate.sampler.temperature = form_.temperature;
  request.generate.stop = chat_stops(service_.options.family);
  request.owner = form_.owner;
  request.reuse_prefix = false;
  EngineCallbacks callbacks;
  const std::shared_ptr<TranscriptionTask> self = shared_from_this();
  callbacks.on_token = [self](std::int64_t, const TokenEvent&) { return !self->exchange_->abandoned(); };
  callbacks.on_done = [self](EngineResult&& result) { self->take(result); };
  callbacks.on_error = [self](const Error& error) { self->fail(refusal(error)); };
  submit(service_, std::move(request), std::move(callbacks), "file");
}

void TranscriptionTask::take(const EngineResult& result) {
  if (exchange_->abandoned()) {
    return;
  }
  const std::string text = without_outer_space(
      parse_output(result.answers.front().text, service_.options.family).text);
  const double begin = segments_.empty() ? 0.0 : segments_.back().end;
  segments_.push_back({begin, begin + pieces_[segments_.size()].seconds(), text});
  if (stream_ != nullptr && !text.empty()) {
    stream_->send({{"type", "transcript.text.delta"}, {"delta", (segments_.size() > 1 ? " " : "") + text}});
  }
  if (segments_.size() == pieces_.size()) {
    finish();
    return;
  }
  try {
    ask();
  } catch (const HttpError& error) {
    fail(error);
  }
}

void TranscriptionTask::finish() {
  if (stream_ != nullptr) {
    stream_->send({{"type", "transcript.text.done"}, {"text", joined(segments_)}});
    stream_->end("data: [DONE]\n\n");
    return;
  }
  const bool is_json = form_.format == "json" || form_.format == "verbose_json";
  exchange_->respond(200, is_json ? "application/json" : "text/plain; charset=utf-8",
                     transcript_body(form_.format, segments_, form_.language), warnings(form_.ignored));
}

void TranscriptionTask::fail(const HttpError& error) {
  if (stream_ != nullptr) {
    stream_->fail(error);
  } else {
    respond(*exchange_, error);
  }
}

}  // namespace nolens::serve
