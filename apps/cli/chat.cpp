// nolens chat: a conversation in the terminal.
#include <csignal>
#include <memory>
#include <optional>
#include <span>

#include "nolens/error.h"

#include "answer.h"
#include "commands.h"
#include "files.h"
#include "interrupt.h"
#include "line_editor.h"
#include "loading.h"
#include "options.h"
#include "picture.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct ChatCommandOptions {
  ModelOptions model;
  ContextOptions context;
  MediaInputOptions media;
  SamplingOptions sampling;
  ChatTurnOptions chat;
};

constexpr const char* kHelp =
    "/image FILE   add a picture to the next message\n"
    "/audio FILE   add a sound\n"
    "/video FILE   add a clip\n"
    "/reset        forget the conversation\n"
    "/help         show this list\n"
    "/exit         leave (also Ctrl-D)\n"
    "A line that ends in \\ goes on; lines between two \"\"\" are one message.\n"
    "Ctrl-C stops the answer.\n";

/// A message of one or several lines; nothing at the end of input.
std::optional<std::string> read_message(LineEditor& editor) {
  constexpr std::string_view kBlock = "\"\"\"";
  std::optional<std::string> line = editor.read_line("> ");
  if (!line) {
    return std::nullopt;
  }
  std::string text;
  if (line->starts_with(kBlock)) {
    text = line->substr(kBlock.size());
    while (!text.ends_with(kBlock)) {
      line = editor.read_line("… ");
      if (!line || caught_signal() != 0) {
        return line ? std::optional<std::string>(std::string()) : std::nullopt;
      }
      text += (text.empty() ? "" : "\n") + *line;
    }
    text.resize(text.size() - kBlock.size());
    return text;
  }
  text = *line;
  while (text.ends_with('\\')) {
    text.back() = '\n';
    line = editor.read_line("… ");
    if (!line || caught_signal() != 0) {
      return std::string();
    }
    text += *line;
  }
  return text;
}

/// Shortens the conversation to what it was, unless dismissed.
class Rollback {
 public:
  explicit Rollback(std::vector<Message>& messages) : messages_(messages), size_(messages.size()) {}
  ~Rollback() {
    if (!dismissed_) {
      messages_.resize(size_);
    }
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  void dismiss() noexcept { dismissed_ = true; }

 private:
  std::vector<Message>& messages_;
  std::size_t size_;
  bool dismissed_ = false;
};

class Conversation {
 public:
  explicit Conversation(const ChatCommandOptions& options)
      : options_(options),
        chat_options_(options.chat.chat()),
        loaded_(load_model(options.model)),
        session_(loaded_.model, options.context.session()),
        generate_(options.sampling.generate(loaded_.model)) {
    chat_options_.family = options.chat.family(*loaded_.model);
    reset();
    if (options.model.verbose) {
      print_error("seed: " + std::to_string(generate_.sampler.seed) + "\n");
    }
  }

  void reset() {
    messages_.clear();
    media_.clear();
    if (!options_.chat.system.empty()) {
      messages_.push_back(text_message(Role::kSystem, options_.chat.system));
    }
  }

  void add_picture(const std::string& file) {
    ImagePart picture = read_picture(file, options_.media.media());
    show_picture(picture.image);
    announce(picture.name, std::to_string(picture.image.width()) + "x" +
                               std::to_string(picture.image.height()) + " pixels");
    media_.emplace_back(std::move(picture));
    scale_last();
  }

  void add_audio(const std::string& file) {
    AudioPart sound = read_audio(file, options_.media.media());
    announce(sound.name, with_decimals(sound.audio.seconds(), 1) + " seconds");
    media_.emplace_back(std::move(sound));
  }

  void add_video(const std::string& file) {
    VideoPart clip = read_video(file, options_.media.media());
    announce(clip.name, std::to_string(clip.video.frames.size()) + " of " +
                            std::to_string(clip.video.source_frames) + " frames");
    media_.emplace_back(std::move(clip));
    scale_last();
  }

  /// Answers; on an error the conversation is as it was before the message.
  void say(const std::string& text) {
    Message message;
    message.content_is_string = media_.empty();
    message.content = media_;
    message.content.emplace_back(TextPart{text});
    Rollback rollback(messages_);
    messages_.push_back(std::move(message));

    const bool shows_reasoning = options_.model.verbose || stderr_is_terminal();
    const Answer answer = answer_prompt(
        session_, render_chat(messages_, chat_options_), chat_options_.family, generate_,
        shows_reasoning ? Stream::kAnswerAndReasoning : Stream::kAnswer);
    finish_printing(answer);
    if (options_.model.verbose) {
      print_error(describe_drafts(generate_.draft, answer.result.draft));
    }
    Message reply = text_message(Role::kAssistant, answer.output.text);
    reply.reasoning = answer.output.reasoning;
    reply.tool_calls = answer.output.tool_calls;
    messages_.push_back(std::move(reply));
    rollback.dismiss();
    media_.clear();
    ++generate_.sampler.seed;  // another answer to the same question, still reproducible
  }

 private:
  /// The messages keep their media as long as the conversation lasts.
  void scale_last() {
    try {
      scale_pictures(std::span(media_).last(1), *loaded_.model, options_.context.session());
    } catch (...) {
      media_.pop_back();
      throw;
    }
  }

  static void announce(const std::string& name, const std::string& what) {
    print_error(name + ": " + what + ", sent with the next message\n");
  }

  const ChatCommandOptions& options_;
  ChatOptions chat_options_;
  LoadedModel loaded_;
  Session session_;
  GenerateOptions generate_;
  std::vector<Message> messages_;
  std::vector<ContentPart> media_;  // for the next message
};

/// False when the conversation is over.
bool obey(Conversation& conversation, const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  while (rest.ends_with(' ')) {
    rest.pop_back();
  }
  if (word == "/exit" || word == "/quit") {
    return false;
  }
  if (word == "/help") {
    print_error(kHelp);
  } else if (word == "/reset") {
    conversation.reset();
    print_error("the conversation is forgotten\n");
  } else if (word == "/image" || word == "/audio" || word == "/video") {
    if (rest.empty()) {
      print_error("which file? " + word + " FILE\n");
    } else if (word == "/image") {
      conversation.add_picture(rest);
    } else if (word == "/audio") {
      conversation.add_audio(rest);
    } else {
      conversation.add_video(rest);
    }
  } else {
    print_error("unknown command " + word + "; /help lists them\n");
  }
  return true;
}

int run_chat(const ChatCommandOptions& options) {
  Conversation conversation(options);
  catch_signals(SecondSignal::kIgnore);
  LineEditor editor;
  if (stdin_is_terminal()) {
    print_error("Type a message, /help for commands, Ctrl-D to leave.\n");
  }
  while (true) {
    const std::optional<std::string> message = read_message(editor);
    if (caught_signal() != 0) {
      if (caught_signal() != SIGINT || !stdin_is_terminal()) {
        check_signal();
      }
      forget_signal();
      continue;
    }
    if (!message) {
      return 0;
    }
    if (message->find_first_not_of(" \t\n") == std::string::npos) {
      continue;
    }
    editor.remember(*message);
    try {
      if (message->starts_with('/')) {
        if (!obey(conversation, *message)) {
          return 0;
        }
      } else {
        conversation.say(*message);
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) {
        throw;
      }
      const bool is_interrupted = error.code() == ErrorCode::kInterrupted;
      print_error((is_interrupted ? "" : "error: ") + std::string(error.what()) + "\n");
    }
    if (caught_signal() != 0 && caught_signal() != SIGINT) {
      check_signal();
    }
    forget_signal();
  }
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  auto options = std::make_shared<ChatCommandOptions>();
  CLI::App* command = app.add_subcommand("chat", "Hold a conversation; /help lists its commands");
  add_model_options(*command, options->model);
  add_chat_options(*command, options->chat);
  add_context_options(*command, options->context);
  add_media_options(*command, options->media);
  add_sampling_options(*command, options->sampling);
  command->callback([options, &action] { action = [options] { return run_chat(*options); }; });
}

}  // namespace nolens::cli
