#include "answer.h"

#include <utility>

#include "interrupt.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

/// After a tool result the prompt itself opens the channel the model goes on with.
constexpr std::string_view kOpenChannel = "<|channel>thought\n";

class Printer {
 public:
  Printer(Stream stream, ParsedOutput& sum) : stream_(stream), sum_(sum) {}

  void take(OutputParser::Delta delta) {
    if (stream_ == Stream::kAnswerAndReasoning && !delta.reasoning.empty()) {
      print_dim(delta.reasoning);
      in_reasoning_ = true;
    }
    if (stream_ != Stream::kNothing && !delta.text.empty()) {
      if (in_reasoning_) {
        print_error("\n");
        in_reasoning_ = false;
      }
      print(delta.text);
    }
    sum_.reasoning += delta.reasoning;
    sum_.text += delta.text;
    for (ToolCall& call : delta.tool_calls) {
      sum_.tool_calls.push_back(std::move(call));
    }
  }

 private:
  Stream stream_;
  ParsedOutput& sum_;
  bool in_reasoning_ = false;
};

}  // namespace

std::int64_t Answer::image_tokens() const {
  std::int64_t sum = 0;
  for (const ImageReport& image : prompt.images) {
    sum += image.tokens;
  }
  for (const VideoReport& video : prompt.videos) {
    sum += video.tokens;
  }
  return sum;
}

std::int64_t Answer::audio_tokens() const {
  std::int64_t sum = 0;
  for (const AudioReport& audio : prompt.audios) {
    sum += audio.tokens;
  }
  return sum;
}

const char* Answer::finish_reason() const noexcept {
  if (!output.tool_calls.empty()) {
    return "tool_calls";
  }
  return result.finish_reason == FinishReason::kLength ? "length" : "stop";
}

Message text_message(Role role, const std::string& text) {
  Message message;
  message.role = role;
  message.content.emplace_back(TextPart{text});
  return message;
}

std::string describe_media(const AppendResult& prompt) {
  std::string lines;
  for (const ImageReport& image : prompt.images) {
    lines += "picture: " + std::to_string(image.source_width) + "x" +
             std::to_string(image.source_height) + " pixels, used as " +
             std::to_string(image.used_width) + "x" + std::to_string(image.used_height) + ", " +
             std::to_string(image.tokens) + " tokens\n";
  }
  for (const AudioReport& audio : prompt.audios) {
    lines += "sound: " + with_decimals(audio.seconds, 2) + " seconds" +
             (audio.pieces > 1 ? ", cut at pauses into " + std::to_string(audio.pieces) + " pieces"
                               : std::string()) +
             ", " + std::to_string(audio.tokens) + " tokens\n";
  }
  for (const VideoReport& video : prompt.videos) {
    lines += "clip: " + std::to_string(video.used_frames) + " of " +
             std::to_string(video.source_frames) + " frames, used as " +
             std::to_string(video.used_width) + "x" + std::to_string(video.used_height) +
             " pixels each, " + std::to_string(video.tokens) + " tokens\n";
  }
  return lines;
}

Answer answer_prompt(Session& session, const Prompt& prompt, ChatFamily family,
                     const GenerateOptions& options, Stream stream) {
  Answer answer;
  {
    Progress progress("reading");
    AppendOptions append;
    append.progress = progress.sink();
    answer.prompt = session.set_context(prompt, append);
  }
  check_signal();
  OutputParser parser(family);
  Printer printer(stream, answer.output);
  if (prompt_text(prompt).ends_with(kOpenChannel)) {
    parser.push(kOpenChannel);
  }
  GenerateOptions with_stops = options;
  for (std::string& stop : chat_stops(family)) {
    with_stops.stop.push_back(std::move(stop));
  }
  answer.result = session.generate(with_stops, [&](const TokenEvent& event) {
    printer.take(parser.push(event.text));
    return caught_signal() == 0;
  });
  printer.take(parser.finish());
  return answer;
}

void finish_printing(const Answer& answer) {
  std::string end;
  if (!answer.output.text.empty() && !answer.output.text.ends_with('\n')) {
    end += '\n';
  }
  for (const ToolCall& call : answer.output.tool_calls) {
    end += call.name + " " + call.arguments + "\n";
  }
  print(end.empty() && answer.output.text.empty() ? "\n" : end);
}

}  // namespace nolens::cli
