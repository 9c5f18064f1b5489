// nolens logits: the logits of every position of a prompt, as a NumPy file.
#include <limits>
#include <memory>

#include "nolens/error.h"

#include "commands.h"
#include "files.h"
#include "json_output.h"
#include "loading.h"
#include "npy_writer.h"
#include "options.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  ContextOptions context;
  MediaInputOptions media;
  std::string messages_file;
  std::string ids_file;
  std::string out;
  bool json = false;
};

constexpr std::size_t kMaxIdsBytes = std::size_t{64} << 20U;

std::vector<TokenId> read_ids(const std::string& path) {
  const auto fail = [&path](const std::string& what) -> Error {
    return {ErrorCode::kInput, quoted_path(path) + ": " + what};
  };
  const std::string text = read_input_file(path, kMaxIdsBytes);
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty()) {
    throw fail("expected a JSON array of token ids with at least one element");
  }
  std::vector<TokenId> ids;
  ids.reserve(json.size());
  for (const auto& element : json) {
    if (!element.is_number_integer() || element < 0 ||
        element > std::numeric_limits<TokenId>::max()) {
      throw fail("element " + std::to_string(ids.size()) + " is no token id");
    }
    ids.push_back(element.get<TokenId>());
  }
  return ids;
}

OutputJson result_json(const AppendResult& result) {
  OutputJson json = {{"ids", result.ids}, {"media", OutputJson::array()}};
  for (const ImageReport& image : result.images) {
    json["media"].push_back({{"kind", "image"},
                             {"tokens", image.tokens},
                             {"width", image.used_width},
                             {"height", image.used_height}});
  }
  for (const AudioReport& audio : result.audios) {
    json["media"].push_back(
        {{"kind", "audio"}, {"tokens", audio.tokens}, {"seconds", audio.seconds}});
  }
  for (const VideoReport& video : result.videos) {
    json["media"].push_back({{"kind", "video"},
                             {"tokens", video.tokens},
                             {"frames", video.used_frames},
                             {"width", video.used_width},
                             {"height", video.used_height}});
  }
  return json;
}

int run_logits(const LogitsOptions& options) {
  if (options.messages_file.empty() == options.ids_file.empty()) {
    throw Error(ErrorCode::kUsage, "logits needs one of --messages and --ids");
  }
  check_npy_target(options.out);
  std::vector<TokenId> ids;
  std::vector<Message> messages;
  if (!options.ids_file.empty()) {
    ids = read_ids(options.ids_file);
  } else {
    messages = read_messages_file(options.messages_file, options.media.media());
  }
  const LoadedModel loaded = load_model(options.model);
  const ChatFamily family = loaded.model->chat_family();
  const Prompt prompt = ids.empty() ? render_chat(messages, {.family = family}) : Prompt();
  const SessionOptions session_options = options.context.session();
  Session session(loaded.model, session_options);
  const std::size_t rows =
      ids.empty() ? layout_prompt(*loaded.model, prompt, session_options).ids.size() : ids.size();
  NpyWriter writer(options.out, static_cast<std::int64_t>(rows),
                   loaded.model->config().text.vocab_size);
  AppendResult result;
  {
    Progress progress("computing");
    AppendOptions append;
    append.progress = progress.sink();
    append.on_logits = [&writer](std::int64_t, std::span<const float> row) {
      writer.write_row(row);
    };
    result = ids.empty() ? session.append(prompt, append) : session.append_ids(ids, append);
  }
  writer.finish();
  if (options.json) {
    print(json_line(result_json(result)));
  } else {
    print(quoted_path(options.out) + ": " + std::to_string(rows) + " positions, " +
          std::to_string(loaded.model->config().text.vocab_size) + " logits each\n");
  }
  return 0;
}

}  // namespace

void add_logits(CLI::App& app, Action& action) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command =
      app.add_subcommand("logits", "Write the logits of every position as a NumPy file");
  command
      ->add_option("--messages", options->messages_file,
                   "OpenAI-style messages array, rendered with the generation prompt, thinking off")
      ->type_name("FILE");
  command->add_option("--ids", options->ids_file, "JSON array of token ids instead")
      ->type_name("FILE");
  command->add_option("-o,--out", options->out, "File to write: float32 [positions, vocabulary]")
      ->type_name("X.npy")
      ->required();
  add_model_options(*command, options->model);
  add_context_options(*command, options->context);
  add_media_options(*command, options->media);
  command->add_flag("--json", options->json, "Print the ids and media as one JSON object");
  command->callback([options, &action] { action = [options] { return run_logits(*options); }; });
}

}  // namespace nolens::cli
