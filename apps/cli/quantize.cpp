// nolens quantize MODEL FILE.nolens --format FORMAT, and nolens verify FILE.nolens
#include "nolens/quantize.h"

#include <memory>

#include "commands.h"
#include "files.h"
#include "json_output.h"
#include "loading.h"
#include "model_path.h"
#include "progress.h"
#include "pull_progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct QuantizeCommand {
  QuantizeOptions quantize;
  std::string model;
  std::string out;
  std::string mmproj;
  bool json = false;
};

int run_quantize(const QuantizeCommand& command) {
  QuantizeOptions options = command.quantize;
  options.out = command.out;
  options.mmproj = command.mmproj;
  options.log = [](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) {
      print_error("warning: " + std::string(message) + "\n");
    }
  };
  const auto start = std::chrono::steady_clock::now();
  QuantizeResult result;
  {
    Progress progress("quantising");
    options.progress = progress.sink();
    result = quantize_model(choose_model(command.model), options);
  }
  const double seconds = milliseconds_since(start) / 1000.0;
  for (const std::string& note : result.notes) {
    print_error("note: " + note + "\n");
  }
  if (command.json) {
    OutputJson json;
    json["path"] = command.out;
    json["format"] = options.format;
    json["source_bytes"] = result.source_bytes;
    json["file_bytes"] = result.file_bytes;
    json["notes"] = result.notes;
    json["seconds"] = seconds;
    print(json_line(json));
    return 0;
  }
  print_error(quoted_path(command.out) + " is written: " + shown_decimal(result.source_bytes) +
              " became " + shown_decimal(result.file_bytes) + " in " + shown_seconds(seconds) +
              "\n");
  return 0;
}

int run_verify(const std::string& file) {
  {
    Progress progress("verifying");
    verify_model_file(file, progress.sink());
  }
  print_error(quoted_path(file) + " is as it was written\n");
  return 0;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto options = std::make_shared<QuantizeCommand>();
  CLI::App* command =
      app.add_subcommand("quantize", "Write a model as one .nolens file with weights in few bits");
  command->add_option("model", options->model, "A directory, a GGUF file, or a name in the cache")
      ->type_name("MODEL")
      ->required();
  command->add_option("out", options->out, "The file to write; replaced if it exists")
      ->type_name("FILE.nolens")
      ->required();
  const std::vector<std::string> formats = quantize_formats();
  command
      ->add_option("--format", options->quantize.format,
                   "Of the decoder's matrices: " + list(formats) + "; keep changes no value")
      ->check(CLI::IsMember(formats).description(""))
      ->type_name("FORMAT")
      ->required();
  command
      ->add_option("--head-format", options->quantize.head_format,
                   "Of token embedding and output head; same = as --format")
      ->type_name("FORMAT");
  command->add_flag("--double-quant", options->quantize.double_quant,
                    "nf4 and fp4: scales in 8 bits, half a bit less a weight");
  command->add_option("--mmproj", options->mmproj, "GGUF: the file with the media embedders")
      ->type_name("FILE");
  command->add_option("-t,--threads", options->quantize.num_threads, "Threads; 0 = one a core")
      ->check(CLI::Range(0, 1024).description(""))
      ->type_name("N");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_quantize(*options); }; });
}

void add_verify(CLI::App& app, Action& action) {
  auto file = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("verify", "Compare a .nolens file with the checksums it was written with");
  command->add_option("file", *file, "The file")->type_name("FILE.nolens")->required();
  command->callback([file, &action] { action = [file] { return run_verify(*file); }; });
}

}  // namespace nolens::cli
