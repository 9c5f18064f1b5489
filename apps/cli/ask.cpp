// nolens ask [MEDIA...] QUESTION
#include <filesystem>
#include <memory>

#include "nolens/error.h"

#include "answer.h"
#include "commands.h"
#include "files.h"
#include "interrupt.h"
#include "json_output.h"
#include "loading.h"
#include "options.h"
#include "picture.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct AskOptions {
  ModelOptions model;
  ContextOptions context;
  MediaInputOptions media;
  SamplingOptions sampling;
  ChatTurnOptions chat;
  std::vector<std::string> arguments;
  std::string messages_file;
  bool json = false;
  bool show = false;
};

constexpr std::size_t kMaxQuestionBytes = std::size_t{16} << 20U;

std::string read_question(const std::string& argument) {
  if (argument == "-") {
    return read_stdin(kMaxQuestionBytes);
  }
  std::error_code error;
  if (std::filesystem::exists(argument, error)) {
    throw Error(ErrorCode::kUsage,
                "the last argument must be the question, but " + quoted_path(argument) +
                    " is a file; add a question: nolens ask FILE \"What is this?\"");
  }
  return argument;
}

std::vector<Message> read_conversation(const AskOptions& options) {
  const MediaOptions media = options.media.media();
  std::vector<Message> messages;
  if (!options.chat.system.empty()) {
    messages.push_back(text_message(Role::kSystem, options.chat.system));
  }
  if (!options.messages_file.empty()) {
    if (!options.arguments.empty()) {
      throw Error(ErrorCode::kUsage, "--messages takes the place of MEDIA and QUESTION; give one");
    }
    for (Message& message : read_messages_file(options.messages_file, media)) {
      messages.push_back(std::move(message));
    }
    return messages;
  }
  if (options.arguments.empty()) {
    throw Error(ErrorCode::kUsage, "a question is missing: nolens ask [MEDIA...] QUESTION");
  }
  const std::string question = read_question(options.arguments.back());
  Message message;
  message.content_is_string = options.arguments.size() == 1;
  for (std::size_t i = 0; i + 1 < options.arguments.size(); ++i) {
    message.content.push_back(read_media(options.arguments[i], media));
  }
  message.content.emplace_back(TextPart{question});
  messages.push_back(std::move(message));
  return messages;
}

void show_pictures(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    for (const ContentPart& part : message.content) {
      if (const auto* image = std::get_if<ImagePart>(&part)) {
        show_picture(image->image);
      }
    }
  }
}

void explain(const AskOptions& options, const Answer& answer, const GenerateOptions& generate) {
  const bool is_cut = answer.result.finish_reason == FinishReason::kLength;
  if (is_cut && (options.model.verbose || stderr_is_terminal())) {
    print_error("note: the answer was cut after " + std::to_string(answer.result.tokens.size()) +
                " tokens; --max-tokens and --ctx set the limits\n");
  }
  if (options.model.verbose) {
    print_error(describe_media(answer.prompt));
    print_error("seed: " + std::to_string(generate.sampler.seed) + "\n");
    print_error(describe_drafts(generate.draft, answer.result.draft));
  }
}

int run_ask(const AskOptions& options) {
  std::vector<Message> messages = read_conversation(options);
  ChatOptions chat = options.chat.chat();
  if (options.show) {
    show_pictures(messages);
  }
  const LoadedModel loaded = load_model(options.model);
  const GenerateOptions generate = options.sampling.generate(loaded.model);
  chat.family = options.chat.family(*loaded.model);
  const SessionOptions context = options.context.session();
  for (Message& message : messages) {
    scale_pictures(message.content, *loaded.model, context);
  }
  const Prompt prompt = render_chat(messages, chat);
  Session session(loaded.model, context);
  const bool shows_reasoning = options.model.verbose || stderr_is_terminal();
  const Stream stream = options.json      ? Stream::kNothing
                        : shows_reasoning ? Stream::kAnswerAndReasoning
                                          : Stream::kAnswer;
  const Answer answer = answer_prompt(session, prompt, chat.family, generate, stream);
  if (!options.json) {
    finish_printing(answer);
  }
  check_signal();
  if (options.json) {
    print(json_line(
        answer_json(answer, *loaded.model, session, loaded.milliseconds, generate)));
  }
  explain(options, answer, generate);
  return 0;
}

}  // namespace

void add_ask(CLI::App& app, Action& action) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* command =
      app.add_subcommand("ask", "Answer one question about text, pictures, sounds and clips");
  command
      ->add_option("arguments", options->arguments,
                   "Pictures, sounds and clips, then the question; - reads it from stdin")
      ->type_name("[MEDIA...] QUESTION");
  add_model_options(*command, options->model);
  add_chat_options(*command, options->chat);
  command
      ->add_option("--messages", options->messages_file,
                   "OpenAI-style messages array instead of MEDIA and QUESTION; - is stdin")
      ->type_name("FILE");
  add_context_options(*command, options->context);
  add_media_options(*command, options->media);
  add_sampling_options(*command, options->sampling);
  command->add_flag("--show", options->show,
                    "Draw the pictures, if the terminal has 24-bit colours");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_ask(*options); }; });
}

}  // namespace nolens::cli
