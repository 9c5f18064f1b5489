// nolens pull ORG/NAME[:FILE]: downloads a model into the cache shared with huggingface_hub.
#include <algorithm>
#include <memory>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "commands.h"
#include "files.h"
#include "json_output.h"
#include "loading.h"
#include "pull_progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct PullCommand {
  std::string name;
  PullOptions pull;
  std::string out;
  bool json = false;
};

constexpr std::size_t kMaxNamesShown = 6;

std::string files_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " file" : " files");
}

void say_left_out(const PullResult& result) {
  if (result.left_out.empty()) {
    return;
  }
  std::int64_t bytes = 0;
  std::string names;
  for (std::size_t i = 0; i < result.left_out.size(); ++i) {
    bytes += result.left_out[i].bytes;
    if (i < kMaxNamesShown) {
      names += (i == 0 ? "" : ", ") + result.left_out[i].name;
    }
  }
  print_error("left out: " + files_text(result.left_out.size()) + ", " + shown_decimal(bytes) +
              ": " + names + (result.left_out.size() > kMaxNamesShown ? " and more" : "") +
              "; --include GLOB chooses\n");
}

void say_summary(const PullResult& result, const std::string& repo, double milliseconds) {
  std::int64_t bytes = 0;
  std::int64_t received = 0;
  for (const PulledFile& file : result.files) {
    bytes += file.bytes;
    received += file.received_bytes;
  }
  print_error(files_text(result.files.size()) + ", " + shown_decimal(bytes) + ", of which " +
              shown_decimal(received) + " downloaded in " + shown_seconds(milliseconds / 1000.0) +
              "\n");
  for (const std::string& name : result.mmproj_beside) {
    print_error("note: the repository also holds the media parts of GGUF models as " + name +
                "; nolens pull " + repo + ":" + name + "\n");
  }
}

OutputJson pull_json(const PullResult& result, const PullOptions& options, double milliseconds) {
  OutputJson json;
  json["repo"] = options.repo;
  json["revision"] = options.revision;
  json["commit"] = result.commit;
  json["path"] = result.path.string();
  json["files"] = OutputJson::array();
  for (const PulledFile& file : result.files) {
    json["files"].push_back({{"name", file.name},
                             {"bytes", file.bytes},
                             {"received_bytes", file.received_bytes},
                             {"checksum", file.checksum}});
  }
  json["left_out"] = OutputJson::array();
  for (const LeftOutFile& file : result.left_out) {
    json["left_out"].push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  json["mmproj_beside"] = result.mmproj_beside;
  json["seconds"] = milliseconds / 1000.0;
  return json;
}

int run_pull(const PullCommand& command) {
  PullOptions options = command.pull;
  const auto name = parse_hub_name(command.name);
  if (!name) {
    throw Error(ErrorCode::kUsage,
                quoted_path(command.name) +
                    " is no name of a model; expected ORG/NAME or ORG/NAME:FILE, such as "
                    "google/gemma-4-12B-it");
  }
  options.repo = name->repo;
  options.file = name->file;
  options.out = command.out;
  const auto start = std::chrono::steady_clock::now();
  const HubSettings settings = HubSettings::from_environment();
  PullResult result;
  try {
    DownloadProgress progress;
    options.progress = [&progress](const PullProgress& state) { progress.update(state); };
    result = pull_model(settings, options);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) {
      print_error("interrupted; what has arrived is kept, the same command goes on from there\n");
    }
    throw;
  }
  const double milliseconds = milliseconds_since(start);
  if (command.json) {
    print(json_line(pull_json(result, options, milliseconds)));
    return 0;
  }
  say_left_out(result);
  say_summary(result, options.repo, milliseconds);
  print(result.path.string() + "\n");
  return 0;
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  auto options = std::make_shared<PullCommand>();
  CLI::App* command = app.add_subcommand(
      "pull", "Download a model from Hugging Face into the cache shared with huggingface_hub");
  command
      ->add_option("name", options->name,
                   "ORG/NAME, or ORG/NAME:FILE for one file; FILE may be a tag such as Q4_K_M")
      ->type_name("MODEL")
      ->required();
  command->add_option("--revision", options->pull.revision, "Branch, tag or commit")
      ->type_name("REV");
  command->add_option("-o,--out", options->out, "Put plain files into this folder, not the cache")
      ->type_name("DIR");
  command
      ->add_option("--include", options->pull.include,
                   "Fetch the files that fit, instead of what nolens needs; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--retries", options->pull.retries, "Further attempts that bring nothing new")
      ->check(CLI::Range(0, 100).description(""))
      ->type_name("N");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_pull(*options); }; });
}

}  // namespace nolens::cli
