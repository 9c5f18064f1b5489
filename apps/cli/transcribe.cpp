// nolens transcribe FILE: speech to text, of any length.
//
// The model hears at most 30 seconds at a time. A longer recording is cut at pauses, each piece is
// transcribed by itself, and what the user asks for runs once, over the joined text.
#include <memory>

#include "nolens/error.h"

#include "answer.h"
#include "commands.h"
#include "files.h"
#include "interrupt.h"
#include "json_output.h"
#include "loading.h"
#include "options.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct TranscribeOptions {
  ModelOptions model;
  ContextOptions context;
  MediaInputOptions media;
  SamplingOptions sampling;
  std::string file;
  std::string language;
  std::string prompt;
  bool json = false;
};

struct Piece {
  double begin_seconds = 0.0;
  double end_seconds = 0.0;
  std::string text;
  bool is_cut = false;  ///< by --max-tokens
};

std::string without_outer_space(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  return first == std::string::npos
             ? std::string()
             : text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

Answer answer_message(Session& session, const Model& model, Message message,
                      const GenerateOptions& generate, Stream stream) {
  ChatOptions chat;
  chat.family = model.chat_family();
  return answer_prompt(session, render_chat({std::move(message)}, chat), chat.family, generate,
                       stream);
}

/// Transcribes piece after piece, printing each when it is ready unless `quiet`.
std::vector<Piece> transcribe(Session& session, const Model& model, const AudioPart& sound,
                              const TranscribeOptions& options, const GenerateOptions& generate,
                              bool quiet) {
  std::vector<Piece> pieces;
  double seconds = 0.0;
  for (Audio& audio : split_at_pauses(model, sound.audio)) {
    Piece piece;
    piece.begin_seconds = seconds;
    seconds += audio.seconds();
    piece.end_seconds = seconds;
    Message message;
    message.content_is_string = false;
    message.content.emplace_back(AudioPart{std::move(audio), sound.name});
    message.content.emplace_back(TextPart{transcription_instruction(options.language)});
    const Answer answer =
        answer_message(session, model, std::move(message), generate, Stream::kNothing);
    check_signal();
    piece.text = without_outer_space(answer.output.text);
    piece.is_cut = answer.result.finish_reason == FinishReason::kLength;
    if (!quiet) {
      print(piece.text + "\n");
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

std::string joined(const std::vector<Piece>& pieces) {
  std::string text;
  for (const Piece& piece : pieces) {
    text += (text.empty() || piece.text.empty() ? "" : " ") + piece.text;
  }
  return text;
}

OutputJson pieces_json(const std::vector<Piece>& pieces) {
  OutputJson json = OutputJson::array();
  for (const Piece& piece : pieces) {
    json.push_back({{"begin_seconds", piece.begin_seconds},
                    {"end_seconds", piece.end_seconds},
                    {"text", piece.text},
                    {"finish_reason", piece.is_cut ? "length" : "stop"}});
  }
  return json;
}

int run_transcribe(const TranscribeOptions& options) {
  const AudioPart sound = read_audio(options.file, options.media.media());
  const LoadedModel loaded = load_model(options.model);
  GenerateOptions generate = options.sampling.generate(loaded.model);
  if (!options.sampling.temperature.has_value()) {
    generate.sampler.temperature = 0.0F;  // what was said is not a matter of chance
  }
  Session session(loaded.model, options.context.session());
  const bool has_prompt = !options.prompt.empty();
  const std::vector<Piece> pieces =
      transcribe(session, *loaded.model, sound, options, generate, options.json || has_prompt);
  for (const Piece& piece : pieces) {
    if (piece.is_cut) {
      print_error("note: the piece at " + with_decimals(piece.begin_seconds, 1) +
                  " seconds was cut; --max-tokens and --ctx set the limits\n");
    }
  }
  OutputJson json = {{"text", joined(pieces)},
                     {"seconds", sound.audio.seconds()},
                     {"pieces", pieces_json(pieces)}};
  if (has_prompt) {
    const Answer answer = answer_message(
        session, *loaded.model, text_message(Role::kUser, options.prompt + "\n\n" + joined(pieces)),
        generate, options.json ? Stream::kNothing : Stream::kAnswer);
    json["answer"] = answer.output.text;
    if (!options.json) {
      finish_printing(answer);
    }
    check_signal();
  }
  if (options.json) {
    print(json_line(json));
  }
  return 0;
}

}  // namespace

void add_transcribe(CLI::App& app, Action& action) {
  auto options = std::make_shared<TranscribeOptions>();
  CLI::App* command =
      app.add_subcommand("transcribe", "Write down the speech of a recording of any length");
  command->add_option("FILE", options->file, "A sound, or a clip whose sound is taken")->required();
  add_model_options(*command, options->model);
  command
      ->add_option("--language", options->language,
                   "Language that is spoken, such as German (default: the model finds out)")
      ->type_name("NAME");
  command
      ->add_option("--prompt", options->prompt,
                   "What to do with the whole transcript, such as \"Summarise this:\"; only the "
                   "answer is printed")
      ->type_name("TEXT");
  add_context_options(*command, options->context);
  add_media_options(*command, options->media);
  add_sampling_options(*command, options->sampling);
  command->add_flag("--json", options->json, "Print one JSON object with the time of each piece");
  command->callback(
      [options, &action] { action = [options] { return run_transcribe(*options); }; });
}

}  // namespace nolens::cli
